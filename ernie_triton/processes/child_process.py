"""Start child processes that end with this one, and that no Ctrl-C leaves behind.

A child starts as `tied_program`, which asks the kernel to kill it when its parent dies and then
becomes the command. The kernel means the parent's thread; a thread that waits for the child starts
it. So it ends with this process alone, whichever thread asked for it.
"""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from ernie_triton.processes import tied_program

_STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

ChildStream = int | IO[bytes] | None
"""A standard stream of a child, as `subprocess` takes it."""


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Hold SIGINT, SIGTERM and SIGHUP back until the block has ended.

    A block that starts a child and stores it is not interrupted between the two. Python handles
    signals in the main thread alone, so the block is an ordinary one in other threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        held.append(number)

    before = {number: signal.getsignal(number) for number in _STOPPING_SIGNALS}
    try:
        for number, handler in before.items():
            if handler not in (None, signal.SIG_IGN):
                signal.signal(number, hold)
        yield
    finally:
        for number, handler in before.items():
            if handler not in (None, signal.SIG_IGN):
                signal.signal(number, handler)
        for one in held:
            signal.raise_signal(one)


def start_child(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: ChildStream = subprocess.DEVNULL,
    stdout: ChildStream = None,
    stderr: ChildStream = None,
    new_session: bool = False,
) -> "subprocess.Popen[bytes]":
    """Start a child that the kernel kills when this process dies; call it in `deferred_signals`.

    Args:
        command: the program and its arguments.
        env: its environment; None for this process's own.
        cwd: its folder; None for this process's own.
        stdin: its standard input, by default an empty one.
        stdout: its standard output; None for this process's own.
        stderr: its standard error; None for this process's own.
        new_session: whether it leads a process group of its own, which Ctrl-C does not reach.

    Raises:
        OSError: the program is not there or may not be run.
    """
    path = (os.environ if env is None else env).get("PATH")
    if shutil.which(command[0], path=path) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    python = str(Path("/proc/self/exe").resolve())
    tied = (python, "-I", "-S", tied_program.__file__, str(os.getpid()))
    started: Future[subprocess.Popen[bytes]] = Future()

    def start_and_wait() -> None:
        try:
            process = subprocess.Popen(
                [*tied, *command],
                env=env,
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=new_session,
            )
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(process)
        with contextlib.suppress(ChildProcessError):  # its end was seen elsewhere
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    threading.Thread(target=start_and_wait, name=f"parent of {command[0]}", daemon=True).start()
    return started.result()


@contextmanager
def running_child(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: ChildStream = subprocess.DEVNULL,
    stdout: ChildStream = None,
    stderr: ChildStream = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a child for a block; kill it where it still runs when an error ends the block.

    Raises:
        OSError: the program is not there or may not be run.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with deferred_signals():
            process = start_child(
                command, env=env, cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr
            )
        yield process
        process.wait()
    finally:
        if process is not None:
            process.kill()
            with process:  # closes its pipes
                pass


def run_child(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: ChildStream = None,
    stderr: ChildStream = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Run a child to its end, and return its exit code and what went to its pipes.

    Raises:
        OSError: the program is not there or may not be run.
    """
    with running_child(command, env=env, cwd=cwd, stdout=stdout, stderr=stderr) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
