"""Rates and concurrency of keys, counted across all workers of a gateway.

A table in a file that every worker maps. A key's rate is kept as one number, the time at which its
next request would come if all came evenly (the generic cell rate algorithm, GCRA); its requests
in flight as one count for each worker, so that a worker that ends takes its own with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import mmap
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from ernie_triton.gateway.guard.keys import NamedKey
from ernie_triton.gateway.problems import ProblemError

MOST_WORKERS = 64
_SLOTS = 4096
_HEAD = struct.Struct("<8sd")  # a key's id, and the time of its next even request
_COUNT = struct.Struct("<i")
_SLOT_BYTES = _HEAD.size + MOST_WORKERS * _COUNT.size
_TABLE_BYTES = _SLOTS * _SLOT_BYTES
_EMPTY = bytes(8)


def write_limit_table(path: Path) -> None:
    """Write an empty table."""
    path.write_bytes(bytes(_TABLE_BYTES))


class KeyLimits:
    """One worker's view of the table."""

    def __init__(self, path: Path, worker: int = 0) -> None:
        """Map the table, and set the worker's own counts to zero.

        Args:
            path: the table.
            worker: its number, from 0 to `MOST_WORKERS` - 1; a successor takes it over.
        """
        self._file = os.open(path, os.O_RDWR)
        self._table = mmap.mmap(self._file, _TABLE_BYTES)
        self._cell = _HEAD.size + worker * _COUNT.size
        for slot in range(0, _TABLE_BYTES, _SLOT_BYTES):
            _COUNT.pack_into(self._table, slot + self._cell, 0)

    @contextlib.contextmanager
    def admitted(self, named: NamedKey) -> Iterator[None]:
        """Count a request of the key while the block runs.

        Raises:
            ProblemError: the key has used up its rate, or has too many requests at once.
        """
        key = named.key
        if not key.rate_per_s and not key.concurrency:
            yield
            return
        with self._locked():
            slot = self._slot(named.name)
            if key.concurrency and self._in_flight(slot) >= key.concurrency:
                raise _too_many_at_once(named)
            if key.rate_per_s:
                self._spend(slot, named)
            self._add(slot, 1)
        try:
            yield
        finally:
            self._add(slot, -1)

    def close(self) -> None:
        """Unmap the table."""
        self._table.close()
        os.close(self._file)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _slot(self, name: str) -> int:
        """The place of a key's slot; one that is not there takes a free one."""
        identity = hashlib.sha256(name.encode()).digest()[:8]
        first = int.from_bytes(identity[:4], "little") % _SLOTS
        for step in range(_SLOTS):
            slot = (first + step) % _SLOTS * _SLOT_BYTES
            found, _ = _HEAD.unpack_from(self._table, slot)
            if found == identity:
                return slot
            if found == _EMPTY:
                _HEAD.pack_into(self._table, slot, identity, 0.0)
                return slot
        # Full of keys that were renamed long ago: the first place is as good as another.
        _HEAD.pack_into(self._table, first * _SLOT_BYTES, identity, 0.0)
        return first * _SLOT_BYTES

    def _spend(self, slot: int, named: NamedKey) -> None:
        identity, next_s = _HEAD.unpack_from(self._table, slot)
        now = time.monotonic()  # one clock for all processes of a machine
        gap_s = 1 / named.key.rate_per_s
        next_s = max(next_s, now)
        wait_s = next_s - now - gap_s * (named.key.burst - 1)
        if wait_s > 1e-9:
            raise ProblemError(
                "rate-limited",
                429,
                f"the key {named.name!r} has used up its {named.key.rate_per_s:g} requests a "
                f"second (bursts of {named.key.burst})",
                f"try again in {wait_s:.3g} s",
                {"retry-after": str(math.ceil(wait_s))},
            )
        _HEAD.pack_into(self._table, slot, identity, next_s + gap_s)

    def _in_flight(self, slot: int) -> int:
        counts = struct.unpack_from(f"<{MOST_WORKERS}i", self._table, slot + _HEAD.size)
        return sum(counts)

    def _add(self, slot: int, count: int) -> None:
        (before,) = _COUNT.unpack_from(self._table, slot + self._cell)
        _COUNT.pack_into(self._table, slot + self._cell, before + count)


def _too_many_at_once(named: NamedKey) -> ProblemError:
    return ProblemError(
        "too-many-at-once",
        429,
        f"the key {named.name!r} has {named.key.concurrency} requests in flight, its limit",
        "wait for an answer first",
        {"retry-after": "1"},
    )
