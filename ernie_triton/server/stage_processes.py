"""Find the processes in which Triton's Python backend runs the stages.

Triton does not notice that one of them has died (measured with 2.51): the server and the model
stay "ready", and every request to the stage fails. Whoever runs the server has to look.
"""

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from ernie_triton.standstill import STOOD_STILL_CODE


def stage_processes(server: int) -> dict[int, str]:
    """The stages by process id: the server's children that run a `<model>/<version>/model.py`.

    Args:
        server: process id of tritonserver.
    """
    stages = {}
    with contextlib.suppress(OSError):  # a thread that ended meanwhile, a kernel without the list
        for task in Path(f"/proc/{server}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                if stage := stage_of(_command_of(int(child))):
                    stages[int(child)] = stage
    return stages


def stage_of(command: Sequence[str]) -> str:
    """The model that a process of the Python backend runs, from its command; empty for others."""
    script = _script_of(command)
    return "" if script is None else script.parent.parent.name


def is_own_stage(pid: int) -> bool:
    """Return True when the process runs a stage of this package, by its `model.py`."""
    with contextlib.suppress(OSError):
        if script := _script_of(_command_of(pid)):
            return "ernie_triton.backends" in script.read_text(encoding="utf-8", errors="replace")
    return False


def is_running(pid: int) -> bool:
    """Return True when the process exists and is not a zombie."""
    return _status(pid)[:1] not in ([], ["Z"], ["X"])  # gone, zombie, dead


def is_stopped(pid: int) -> bool:
    """Return True when the process stands still, as after SIGSTOP."""
    return _status(pid)[:1] in (["T"], ["t"])


def failure_of(pid: int) -> str:
    """Say which signal or code ended a process; empty for a good end, or one seen by its parent."""
    status = _status(pid)
    code = int(status[-1]) if status[:1] == ["Z"] else 0  # as `wait` reports it
    if code == 0:
        return ""
    if os.WIFSIGNALED(code):
        return f"was killed by {signal.Signals(os.WTERMSIG(code)).name}"
    if os.WEXITSTATUS(code) == STOOD_STILL_CODE:
        return "stood still while it had requests, which Triton may have given up, and ended"
    return f"ended with code {os.WEXITSTATUS(code)}"


def _status(pid: int) -> list[str]:
    """The fields of Linux's account of a process from its state on; empty where it has gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return status.rpartition(")")[2].split()


def _command_of(pid: int) -> list[str]:
    """The words of a process's command; OSError where it has gone."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


def _script_of(command: Sequence[str]) -> Path | None:
    return next((Path(part) for part in command if part.endswith("/model.py")), None)
