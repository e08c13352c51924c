"""Hide keys in the command of a running server: every user of a machine can list the commands.

tritonserver 2.51 takes its keys from its command alone, and copies them as it starts.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path

_ARG_START, _ARG_END = 48, 49  # fields of /proc/PID/stat, from 1 on; see proc(5)


def hide_keys(pid: int, keys: Iterable[str]) -> bool:
    """Write `*` over keys in the command of a process of one's own that has read it.

    Args:
        pid: of the process; a child, where the kernel lets only parents write to a process.
        keys: to hide; empty ones are none.

    Returns:
        Whether the command could be written.
    """
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = status.rpartition(")")[2].split()  # from the third on
        start, end = int(fields[_ARG_START - 3]), int(fields[_ARG_END - 3])
        if start:  # 0 where the kernel does not tell
            with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
                memory.seek(start)
                command = memory.read(end - start)
                for key in filter(None, keys):
                    command = command.replace(key.encode(), b"*" * len(key.encode()))
                memory.seek(start)
                return memory.write(command) == end - start
    return False
