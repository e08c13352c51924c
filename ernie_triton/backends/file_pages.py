"""Memory of files that were read to load something and are hardly read again."""

import ctypes
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAPS = Path("/proc/self/smaps")
_KEPT = ("Anonymous:", "Swap:")
"""What a private mapping holds beside the file: pages that were written to, which would be lost."""


def release_file_pages() -> int:
    """Give the resident pages of mapped files back to the system, where nothing was written.

    Half of what a stage holds after loading are pages of libraries and of the weights file that
    were read once. They are clean: the system keeps them as its cache, as long as it has the room,
    and whatever is read again comes back from there. Does nothing where the system has no `/proc`
    or no `madvise`.

    Returns:
        How many bytes were resident in what was released.
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
        """Whether the file alone can bring back every page."""
        return self.path.startswith("/") and not self.is_writable and not self.kept_bytes


def _mappings() -> Iterator[_Mapping]:
    """This process's, from lines `start-end permissions offset device inode path`, then counts."""
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
