"""Release memory of mapped files that were read while loading and are rarely read again."""

import ctypes
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAPS = Path("/proc/self/smaps")
_KEPT = ("Anonymous:", "Swap:")
"""Pages of a private mapping that were written to, and that releasing would lose."""


def release_file_pages() -> int:
    """Give unwritten resident pages of mapped files back to the system.

    Half of a stage's memory after loading are pages of libraries and of the weights file that were
    read once. The system keeps them in its cache while it has room, and reads them from there
    again. Does nothing on a system without `/proc` or `madvise`.

    Returns:
        The bytes that were resident in the released mappings.
    """
    if not _MAPS.exists() or not hasattr(mmap, "MADV_DONTNEED"):
        return 0
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    released = 0
    for mapping in list(_mappings()):
        if not mapping.is_clean_file:
            continue
        size = mapping.end - mapping.start
        if madvise(mapping.start, size, mmap.MADV_DONTNEED) == 0:
            released += mapping.resident_bytes
    return released


@dataclass(slots=True, kw_only=True)
class _Mapping:
    """A range of addresses; `kept_bytes` are those that are not the file's own."""

    start: int
    end: int
    is_writable: bool
    path: str
    resident_bytes: int = 0
    kept_bytes: int = 0

    @property
    def is_clean_file(self) -> bool:
        """True if every page can be read from the file again."""
        return self.path.startswith("/") and not self.is_writable and not self.kept_bytes


def _mappings() -> Iterator[_Mapping]:
    """Mappings of this process, from lines `start-end permissions … path`, then counts."""
    mapping = None
    for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        name, *rest = line.split(maxsplit=5)
        if not name.endswith(":"):
            if mapping:
                yield mapping
            start, end = (int(part, 16) for part in name.split("-"))
            path = rest[4] if len(rest) > 4 else ""
            mapping = _Mapping(start=start, end=end, is_writable="w" in rest[0], path=path)
        elif mapping and name == "Rss:":
            mapping.resident_bytes = int(rest[0]) * 1024
        elif mapping and name in _KEPT:
            mapping.kept_bytes += int(rest[0]) * 1024
    if mapping:
        yield mapping
