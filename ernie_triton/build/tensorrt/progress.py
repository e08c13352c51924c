"""TensorRT's progress during a build, on stderr."""

import sys
import threading
from typing import Any


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
