"""Run one perf_analyzer process: options for a load, start and stop, figures at the end."""

import contextlib
import os
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.analyzer.output import (
    AnalyzerFigures,
    did_not_settle,
    failure_from,
    figures_from,
    was_lapse,
    window_was_too_short,
    windows_from,
)
from ernie_triton.perf.analyzer.program import AnalyzerRun, prepared_command
from ernie_triton.perf.results import CONCURRENCY, RequestLoad
from ernie_triton.processes.child_process import deferred_signals, start_child

_FIGURES = "figures.csv"
_ANY_PERCENT = 1_000_000.0
_FEWEST_WINDOWS = 3
_STOP_TIMEOUT_S = 5


class ShortWindowError(AnalyzerError):
    """No request was answered within one of the windows."""


class AnalyzerLapseError(AnalyzerError):
    """perf_analyzer failed for a reason of its own; another try may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Measurement windows of perf_analyzer; the last three make the figures.

    Attributes:
        seconds: duration of a window.
        settle_percent: most difference of three windows in rate and latency, in percent; None
            accepts the first three.
        most: windows after which perf_analyzer gives up.
    """

    seconds: float
    settle_percent: float | None = None
    most: int = _FEWEST_WINDOWS


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerOutcome:
    """The end of a run: figures, or None where the windows kept differing."""

    figures: AnalyzerFigures | None
    windows: int


def options_for(load: RequestLoad, windows: Windows) -> list[str]:
    """Return perf_analyzer's options for one load.

    A closed loop uses synchronous calls, a thread each, which cost the least CPU time. Requests of
    an open loop must not wait for each other, so they are asynchronous.
    """
    options = ["-b", str(load.batch_size), "-v", "--verbose-csv"]
    if load.mode == CONCURRENCY:
        options += ["--concurrency-range", f"{load.level:.0f}:{load.level:.0f}:1", "--sync"]
    else:
        options += ["--request-rate-range", f"{load.level:.6g}", "--async"]
        options += ["--request-distribution", "poisson"]
    percent = _ANY_PERCENT if windows.settle_percent is None else windows.settle_percent
    options += ["--measurement-interval", f"{windows.seconds * 1000:.0f}"]
    return [*options, "--stability-percentage", f"{percent:g}", "--max-trials", str(windows.most)]


class LoadGenerator:
    """A context manager that starts a perf_analyzer process and always ends it."""

    def __init__(self, run: AnalyzerRun) -> None:
        self._run = run
        self._stack = ExitStack()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "LoadGenerator":
        with ExitStack() as stack:
            command = stack.enter_context(prepared_command(self._run))
            self._folder = command.folder
            output = stack.enter_context((command.folder / "output").open("wb"))
            errors = stack.enter_context((command.folder / "errors").open("wb"))
            with deferred_signals():
                self._process = start_child(
                    [*command.arguments, "-f", str(command.folder / _FIGURES)],
                    env=command.environment,
                    stdout=output,
                    stderr=errors,
                    # Ctrl-C is ours to handle: perf_analyzer would wait for its windows to end.
                    new_session=True,
                )
                stack.callback(self._stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def is_running(self, wait_s: float) -> bool:
        """Wait up to `wait_s` seconds for the end; return whether it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._started().wait(wait_s)
        return self._started().poll() is None

    def outcome(self) -> AnalyzerOutcome:
        """Wait for the end and read the figures.

        Raises:
            ShortWindowError: a window passed without an answer.
            AnalyzerLapseError: perf_analyzer failed for a reason of its own.
            AnalyzerError: it failed otherwise, or its files cannot be read.
        """
        code = self._started().wait()
        output, errors = self._text("output"), self._text("errors")
        if code == 0:
            figures = figures_from(self._text(_FIGURES), output)
            return AnalyzerOutcome(figures=figures, windows=len(windows_from(output)))
        if did_not_settle(errors):
            return AnalyzerOutcome(figures=None, windows=len(windows_from(output)))
        kind = AnalyzerError
        if window_was_too_short(errors):
            kind = ShortWindowError
        elif was_lapse(errors):
            kind = AnalyzerLapseError
        raise kind(f"perf_analyzer failed (code {code}): {failure_from(errors, output)}")

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise AnalyzerError("perf_analyzer was not started")
        return self._process

    def _text(self, name: str) -> str:
        path = (self._folder or Path()) / name
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise AnalyzerError(f"perf_analyzer wrote no {name}: {error}") from error

    def _stop(self) -> None:
        process = self._started()
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT_S)
        # It leads a process group of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
