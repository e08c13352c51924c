"""Memory of a weights file that a runtime mapped and no longer needs."""

import ctypes
import mmap
from pathlib import Path

_MAPS = Path("/proc/self/maps")


def release_file_pages(path: Path) -> int:
    """Give the resident pages of a mapped file back to the system.

    They are clean pages of a read-only file: whatever is read again comes back from the file. A
    runtime that repacks its weights has no use for most of them. Does nothing where the system has
    no `/proc` or no `madvise`.

    Args:
        path: the file.

    Returns:
        How many bytes of address space were released.
    """
    if not _MAPS.exists() or not hasattr(mmap, "MADV_DONTNEED"):
        return 0
    wanted = str(path.resolve())
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    released = 0
    for line in _MAPS.read_text(encoding="utf-8").splitlines():
        # start-end permissions offset device inode path
        fields = line.split(maxsplit=5)
        # What is written to a private page would be lost; a weights file has none such.
        if len(fields) < 6 or fields[5] != wanted or "w" in fields[1]:
            continue
        start, end = (int(part, 16) for part in fields[0].split("-"))
        if madvise(start, end - start, mmap.MADV_DONTNEED) == 0:
            released += end - start
    return released
