"""Remove folders and shared memory that belong to processes that are no more.

Their names carry the owner: its PID namespace, its process id, and the time at which it started.
Those of other namespaces, such as another container's, are left alone.
"""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
_NAME = re.compile(r"ernie-triton-(?P<namespace>\d+)-(?P<pid>\d+)-(?P<start>\d+)-")


def owned_prefix() -> str:
    """The beginning of the names that belong to this process."""
    return f"ernie-triton-{_namespace()}-{os.getpid()}-{_start_of(os.getpid())}-"


def remove_leftovers(shared_memory: Path = SHARED_MEMORY) -> tuple[Path, ...]:
    """Remove what dead processes left among temporary files and in shared memory.

    Returns:
        What was removed.
    """
    removed = []
    for folder in (Path(tempfile.gettempdir()), shared_memory):
        with contextlib.suppress(OSError):
            removed += [path for path in list(folder.iterdir()) if _is_dead(path) and _gone(path)]
    return tuple(removed)


def _is_dead(path: Path) -> bool:
    found = _NAME.match(path.name)
    if not found or int(found["namespace"]) != _namespace():
        return False
    return _start_of(int(found["pid"])) != int(found["start"])


def _gone(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
    return not path.exists()


def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _start_of(pid: int) -> int:
    """The time at which a process started, in clock ticks since the boot; 0 when there is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(status.rpartition(")")[2].split()[19])
