"""Counts of a stage's requests, in a file that the supervisor reads while the stage writes it.

A stage is a process of its own; so it tells how many requests it has, without a word to anybody.
"""

import mmap
import os
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

COUNTS_FOLDER = "ERNIE_TRITON_COUNTS"
"""The environment variable that names the folder; without it a stage counts nothing."""

OUTCOMES = ("answered", "refused", "failed")
_LAYOUT = struct.Struct(f"<{1 + len(OUTCOMES)}q")


class RequestCounts:
    """The counts of one stage's process, written to its file."""

    def __init__(self, folder: Path, model: str) -> None:
        """Make the file, at zero.

        Raises:
            OSError: it cannot be made.
        """
        with (folder / f"{model}.{os.getpid()}").open("w+b") as file:
            file.truncate(_LAYOUT.size)
            self._file = mmap.mmap(file.fileno(), _LAYOUT.size)
        self._counts = [0] * (1 + len(OUTCOMES))
        self._lock = threading.Lock()

    def took(self, requests: int) -> None:
        """Count requests that the stage got."""
        self._add(0, requests)

    def ended(self, outcome: str) -> None:
        """Count a request that ended with one of `OUTCOMES`."""
        self._add(1 + OUTCOMES.index(outcome), 1)

    def _add(self, place: int, count: int) -> None:
        with self._lock:
            self._counts[place] += count
            _LAYOUT.pack_into(self._file, 0, *self._counts)


def opened_counts(model: str, environment: Mapping[str, str]) -> RequestCounts | None:
    """The counts of a stage, if the environment names a folder that can take them."""
    folder = environment.get(COUNTS_FOLDER)
    if not folder or not Path(folder).is_dir():
        return None
    return RequestCounts(Path(folder), model)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedStage:
    """The counts of one stage's process, as read.

    Attributes:
        model: the stage's name in the repository.
        pid: its process id.
        taken: requests that it got.
        ended: those that ended, by outcome.
    """

    model: str
    pid: int
    taken: int
    ended: Mapping[str, int]

    @property
    def running(self) -> int:
        """Requests that it has and has not answered."""
        return max(self.taken - sum(self.ended.values()), 0)


def read_counts(folder: Path) -> Iterator[CountedStage]:
    """The counts of every stage's process, also of those that have ended."""
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        model, _, pid = path.name.rpartition(".")
        if len(content) == _LAYOUT.size and pid.isdecimal():
            taken, *ended = _LAYOUT.unpack(content)
            outcomes = dict(zip(OUTCOMES, ended, strict=True))
            yield CountedStage(model=model, pid=int(pid), taken=taken, ended=outcomes)
