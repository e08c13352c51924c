"""API keys: a file with the hash of each, read again when it has changed.

A key is 256 random bits, so its plain SHA-256 cannot be guessed back; the file may be read by the
gateway's operators without their knowing the keys.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.errors import UsageError
from ernie_triton.strict_toml import read_described

_PREFIX = "et-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LOOK_EVERY_S = 1.0
MOST_KEYS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key's hash and limits.

    Attributes:
        sha256: of the key, in hex.
        rate_per_s: requests a second in the long run; 0 is no limit.
        burst: requests that may come at once before the rate counts.
        concurrency: requests at once; 0 is no limit.
        pipelines: names that it may ask; empty is all.
    """

    sha256: str
    rate_per_s: float = 0.0
    burst: int = 1
    concurrency: int = 0
    pipelines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.sha256):
            raise UsageError(f"sha256 is {self.sha256[:70]!r}; expected 64 hex digits")
        if self.rate_per_s < 0 or self.concurrency < 0 or self.burst < 1:
            raise UsageError(
                f"rate_per_s is {self.rate_per_s:g}, concurrency {self.concurrency} and burst "
                f"{self.burst}; expected at least 0, 0 and 1"
            )

    def may_ask(self, pipeline: str) -> bool:
        """Return True where the key is for this pipeline."""
        return not self.pipelines or pipeline in self.pipelines


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeyFile:
    keys: Mapping[str, ApiKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.keys:
            check_key_name(name)
        if len(self.keys) > MOST_KEYS:
            raise UsageError(f"there are {len(self.keys)} keys; expected at most {MOST_KEYS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedKey:
    """A key with the name it has in its file."""

    name: str
    key: ApiKey


class KeyRing:
    """The keys of a file; a changed file counts within a second."""

    def __init__(self, path: Path, tell: Callable[[str], None] = print) -> None:
        """Read the file.

        Args:
            path: the file.
            tell: takes a line when the file can no longer be read; its keys stay as they were.

        Raises:
            UsageError: it cannot be read, or is not in its form.
        """
        self._path = path
        self._tell = tell
        self._version = _version(path)
        self._looked_s = time.monotonic()
        self._by_digest = _read_keys(path)

    def find(self, presented: str) -> NamedKey | None:
        """The key whose hash the presented one has."""
        now = time.monotonic()
        if now - self._looked_s > _LOOK_EVERY_S:
            self._looked_s = now
            self._read_if_changed()
        return self._by_digest.get(digest_of_key(presented))

    def _read_if_changed(self) -> None:
        version = _version(self._path)
        if version == self._version:
            return
        self._version = version
        try:
            self._by_digest = _read_keys(self._path)
        except UsageError as error:
            self._tell(f"error: {error}; the keys stay as they were")


def check_key_name(name: str) -> str:
    """Return a name that a key may have.

    Raises:
        UsageError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"the key's name is {name[:70]!r}; expected 1 to 64 letters, digits, - and _"
        )
    return name


def new_api_key() -> str:
    """A new random key."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest_of_key(key: str) -> str:
    """The hash that the file has of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def key_table(name: str, key: ApiKey) -> str:
    """A key as it stands in its file."""
    lines = [f"[keys.{name}]", f'sha256 = "{key.sha256}"']
    if key.rate_per_s:
        lines += [f"rate_per_s = {key.rate_per_s!r}", f"burst = {key.burst}"]
    if key.concurrency:
        lines.append(f"concurrency = {key.concurrency}")
    if key.pipelines:
        lines.append(f"pipelines = [{', '.join(f'{one!r}' for one in key.pipelines)}]")
    return "\n".join(lines) + "\n"


def named_keys(path: Path) -> dict[str, ApiKey]:
    """The keys of a file by name.

    Raises:
        UsageError: it cannot be read, or is not in its form.
    """
    return dict(read_described(_KeyFile, path, UsageError).keys)


def _read_keys(path: Path) -> dict[str, NamedKey]:
    return {key.sha256: NamedKey(name=name, key=key) for name, key in named_keys(path).items()}


def _version(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ino, found.st_size)
