"""A process in tritonserver's place with real processes as its stages, and its control."""

# ruff: noqa: ARG002 - the signatures are those of `Control`

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ernie_triton.errors import ServerError
from ernie_triton.server.control import Control, ModelState
from ernie_triton.server.stage_processes import is_running, stage_processes

DEADLINE_S = 60
# Starts a stage for each line of its input; like tritonserver, it does not ask how they ended.
_SERVER = """
import os, subprocess, sys
stages = []
for line in sys.stdin:
    stages.append(subprocess.Popen([sys.executable, line.strip(), str(os.getpid())]))
"""


# Ends with the server: one may start while a test ends. 1 is PR_SET_PDEATHSIG, of prctl(2).
_STAGE = """
# in the place of ernie_triton.backends
import ctypes, os, signal, sys, time
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    time.sleep(600)
"""


class FakeServer(Control):
    """Pipelines by name, with the stages of each; loading one starts those that do not run."""

    def __init__(self, folder: Path, pipelines: dict[str, frozenset[str]]) -> None:
        self.stages_of = pipelines
        self.states = dict.fromkeys(pipelines, "")
        self.calls: list[str] = []
        self.refuses = ""
        self._is_stopped = False
        self._folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, text=True
        )
        for name in pipelines:
            self.load(name)
        self.calls.clear()

    def pid_of(self, stage: str) -> int:
        """The process that runs a stage."""
        return {name: pid for pid, name in stage_processes(self.process.pid).items()}[stage]

    def stop(self) -> None:
        """End the server, and with it the stages."""
        self._is_stopped = True
        self.process.kill()
        with self.process:
            pass

    def index(self, timeout_s: float = 0.0) -> tuple[ModelState, ...]:
        """The states of pipelines and stages."""
        states = self.states | {
            stage: self.states.get(stage, "READY") for stage in frozenset().union(*self._stages())
        }
        return tuple(
            ModelState(name=name, version="1", state=state, reason="")
            for name, state in states.items()
        )

    def pipelines(self, timeout_s: float = 0.0) -> dict[str, frozenset[str]]:
        """The pipelines that are ready."""
        return {name: self.stages_of[name] for name in self.stages_of if self._is_ready(name)}

    def load(self, name: str, timeout_s: float = 0.0) -> None:
        """Start the stages that do not run."""
        self.calls.append(f"load {name}")
        running = set(stage_processes(self.process.pid).values())
        for stage in self.stages_of[name] - running:
            script = self._folder / stage / "1" / "model.py"
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(_STAGE, encoding="utf-8")
            assert self.process.stdin is not None
            try:
                self.process.stdin.write(f"{script}\n")
                self.process.stdin.flush()
            except (OSError, ValueError) as error:  # stopped meanwhile, as a test ended
                raise ServerError("the server has ended") from error
        wait_until(lambda: self._is_stopped or self._runs(name))
        if self._is_stopped:
            raise ServerError("the server has ended")
        self.states.update(dict.fromkeys({name, *self.stages_of[name]}, "READY"))

    def unload(self, name: str, *, with_stages: bool = False, timeout_s: float = 0.0) -> None:
        """Take a model away."""
        if self.refuses:
            raise ServerError(self.refuses)
        self.calls.append(f"unload {name}")
        self.states[name] = "UNAVAILABLE"
        for pid, stage in stage_processes(self.process.pid).items():
            if stage == name:  # tritonserver ends it, and waits
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                wait_until(functools.partial(has_ended, pid))

    def _stages(self) -> list[frozenset[str]]:
        return list(self.stages_of.values())

    def _runs(self, name: str) -> bool:
        return self.stages_of[name] <= set(stage_processes(self.process.pid).values())

    def _is_ready(self, name: str) -> bool:
        return self.states[name] == "READY"


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a function of no arguments returns what is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has_ended(pid: int) -> bool:
    """Return whether a process has ended."""
    return not is_running(pid)
