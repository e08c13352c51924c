"""TensorRT's messages during a build: keep errors, show progress on stderr."""

import functools
import re
import sys
import threading
from typing import Any

_KEPT_ERRORS = 20
_LAYERS = "Layers:\n"
"""The beginning of the builder's message that describes every layer of the engine."""

_ACTIVATIONS = re.compile(r"Total Activation Memory: (\d+) bytes")


@functools.cache
def message_log(module: Any) -> Any:  # noqa: ANN401
    """The logger of this process for a TensorRT module, which keeps the first that it is given.

    Its `errors` are the last messages of that severity; `layers` is the description of the last
    engine, which the builder gives at the highest verbosity and with detailed profiling, and
    `activation_bytes` the GPU memory that a run of its largest shape takes beside the weights.

    Args:
        module: `tensorrt` or `tensorrt_rtx`.
    """

    class MessageLog(module.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []
            self.layers = ""
            self.activation_bytes = 0

        def log(self, severity: Any, text: str) -> None:  # noqa: ANN401
            if severity <= module.ILogger.ERROR:
                self.errors = [*self.errors, " ".join(text.split())][-_KEPT_ERRORS:]
            elif text.startswith(_LAYERS):
                self.layers = text
            elif found := _ACTIVATIONS.match(text):
                self.activation_bytes = int(found[1])

        def clear(self) -> None:
            self.errors, self.layers, self.activation_bytes = [], "", 0

    return MessageLog()


def progress_monitor(module: Any) -> Any:  # noqa: ANN401
    """A progress monitor that draws a bar for the builder's outermost phase.

    There is none where stderr is no terminal. Ctrl-C ends the build: TensorRT calls from C++, where
    an exception of Python's would end the process. `is_cancelled` says that it happened.

    Args:
        module: `tensorrt` or `tensorrt_rtx`.
    """
    from tqdm import tqdm

    class BuildProgress(module.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.is_cancelled = False
            self._bars: dict[str, Any] = {}
            self._lock = threading.Lock()  # called from the builder's threads

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            with self._lock:
                self._bars[phase] = tqdm(
                    total=steps,
                    desc=phase,
                    file=sys.stderr,
                    disable=None if parent is None else True,
                    leave=False,
                )

        def step_complete(self, phase: str, step: int) -> bool:
            try:
                with self._lock:
                    bar = self._bars.get(phase)
                    if bar is not None:
                        bar.update(step + 1 - bar.n)
            except KeyboardInterrupt:
                self.is_cancelled = True
            return not self.is_cancelled

        def phase_finish(self, phase: str) -> None:
            with self._lock:
                bar = self._bars.pop(phase, None)
            if bar is not None:
                bar.close()

    return BuildProgress()
