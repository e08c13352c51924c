"""Find the processes in which Triton's Python backend runs the stages.

Triton does not notice that one of them has died (measured with 2.51): the server and the model
stay "ready", and every request to the stage fails. Whoever runs the server has to look.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path


def stage_processes(server: int) -> dict[int, str]:
    """The stages by process id: the server's children that run a `<model>/<version>/model.py`.

    Args:
        server: process id of tritonserver.
    """
    stages = {}
    with contextlib.suppress(OSError):  # a thread that ended meanwhile, a kernel without the list
        for task in Path(f"/proc/{server}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                command = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
                if stage := stage_of(command):
                    stages[int(child)] = stage
    return stages


def stage_of(command: Sequence[str]) -> str:
    """The model that a process of the Python backend runs, from its command; empty for others."""
    scripts = (Path(part) for part in command if part.endswith("/model.py"))
    return next((script.parent.parent.name for script in scripts), "")


def is_running(pid: int) -> bool:
    """Return True when the process exists and is not a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    state = status.rpartition(")")[2].split()[0]
    return state not in "ZX"  # zombie, dead
