"""The Python packages of TensorRT and of TensorRT for RTX, which have one API under two names.

Supported are TensorRT 10.4 to 11.4 (`tensorrt`) and TensorRT for RTX 1.7 (`tensorrt_rtx`). Triton's
images carry 10.4 in 24.09, the last for a V100, up to 11.2 in 26.08 (`ernie_triton.gpu.images`).
TensorRT 8.6 is not supported: it has neither strongly typed networks nor a progress monitor, and no
GPU needs it, since an image with 10.4 serves everything from Volta on.
"""

import functools
import importlib
import importlib.util
import re
from collections.abc import Sequence
from typing import Any

from ernie_triton.errors import PlanError
from ernie_triton.gpu.images import version_of

OLDEST = (10, 4)
TENSORRT_NAMES = ("tensorrt", "tensorrt_bindings")
RTX_NAMES = ("tensorrt_rtx",)

_KEPT_ERRORS = 20
_LAYERS = "Layers:\n"
"""The beginning of the builder's message that describes every layer of the engine."""

_ACTIVATIONS = re.compile(r"Total Activation Memory: (\d+) bytes")


class TensorRtModule:
    """One of the two packages, and the log of what it says."""

    def __init__(self, module: Any) -> None:  # noqa: ANN401
        """Take `tensorrt` or `tensorrt_rtx`."""
        self.module = module
        self.log = message_log(module)

    @property
    def version(self) -> str:
        """The version of the module, like `10.4.0`."""
        return str(self.module.__version__)

    @property
    def is_rtx(self) -> bool:
        """True for TensorRT for RTX, whose plans are other files."""
        return str(self.module.__name__).startswith(RTX_NAMES)

    def last_error(self) -> str:
        """TensorRT's last errors; a cause comes before its consequences."""
        return "; ".join(self.log.errors[:3]) or "it does not say why"


def imported_package(names: Sequence[str]) -> Any:  # noqa: ANN401
    """The first of these modules that is installed; None where none is.

    In Triton's images the libraries are there without a Python package: the wheel
    `tensorrt_cu12_bindings` (or cu13) of the same version adds 1 MB and uses them.

    Raises:
        PlanError: it cannot be loaded, or is too old.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            continue
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError) as error:
            raise PlanError(
                f"the package {name} cannot load TensorRT's libraries: {error}; install the "
                f"version that the server's image has"
            ) from error
        version = str(module.__version__)
        if name in TENSORRT_NAMES and version_of(".".join(version.split(".")[:2])) < OLDEST:
            raise PlanError(
                f"TensorRT {version} is too old; expected 10.4 or newer, as Triton's images from "
                f"24.09 on have"
            )
        return module
    return None


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
