"""Run `ernie-triton` as a process of its own.

The imports of a build (onnx, torch) stay out of the process that measures.
"""

import subprocess
import sys
from collections import deque
from pathlib import Path

from ernie_triton.errors import CheckpointError
from ernie_triton.processes.child_process import running_child


def run_build(*arguments: str | Path) -> None:
    """Run a command of `ernie-triton`, showing its progress on stderr and dropping its stdout.

    Raises:
        CheckpointError: the command failed; the message ends with its last line.
    """
    words = [str(word) for word in arguments]
    command = (sys.executable, "-m", "ernie_triton", *words)
    with running_child(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        last: deque[str] = deque(maxlen=1)
        for line in process.stderr or ():
            last.append(line.decode("utf-8", "replace").rstrip("\n"))
            print(last[-1], file=sys.stderr, flush=True)
    if process.returncode:
        reason = last[0].removeprefix("error: ") if last else f"exit code {process.returncode}"
        raise CheckpointError(f"`ernie-triton {' '.join(words)}` failed: {reason}")
