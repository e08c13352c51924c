"""Remove folders, shared memory and stages that belong to processes that are no more.

Their names carry the owner: its PID namespace, its process id, and the time at which it started.
Those of other namespaces, such as another container's, are left alone. A stage ends with its
tritonserver, but not always: one that waits for a lock of the dead server waits for ever.
"""

import contextlib
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
_NAME = re.compile(r"ernie-triton-(?P<namespace>\d+)-(?P<pid>\d+)-(?P<start>\d+)-")


def owned_prefix() -> str:
    """The beginning of the names that belong to this process."""
    return f"ernie-triton-{_namespace()}-{os.getpid()}-{_start_of(os.getpid())}-"


def remove_leftovers(shared_memory: Path = SHARED_MEMORY) -> tuple[Path, ...]:
    """End the stages of dead processes, and remove their temporary files and shared memory.

    Returns:
        What was removed.
    """
    for process in orphaned_stages():
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
    removed = []
    for folder in (Path(tempfile.gettempdir()), shared_memory):
        with contextlib.suppress(OSError):
            removed += [path for path in list(folder.iterdir()) if _is_dead(path) and _gone(path)]
    return tuple(removed)


def orphaned_stages() -> list[int]:
    """The processes whose program lies in a folder of a dead owner, as a stage's does."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            program = Path(path.read_bytes().partition(b"\0")[0].decode("utf-8", "replace"))
            if any(map(_is_dead, program.parents)):
                found.append(int(path.parent.name))
    return found


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
