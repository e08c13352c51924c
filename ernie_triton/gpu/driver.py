"""Find the NVIDIA GPUs that this process may use, and the versions of driver and TensorRT.

Asked of the driver's own libraries through ctypes: libcuda and libnvidia-ml are mounted into every
container that has a GPU, under names that do not depend on a CUDA version, and asking them proves
that CUDA works. Nothing has to be installed for it.
"""

import ctypes
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.errors import GpuError, NoGpuError, PlanError

LibraryLoader = Callable[[str], Any]
"""Opens a shared library, as `ctypes.CDLL` does; raises OSError where it is not there."""

_NAME_BYTES = 256
_MAJOR_ATTRIBUTE, _MINOR_ATTRIBUTE = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of cuda.h."""

_NO_DEVICE = 100
_ADVICE = {
    _NO_DEVICE: "start the container with --gpus all, or check CUDA_VISIBLE_DEVICES",
    803: "the driver of the host was updated while it ran; restart the host",
    804: "this GPU cannot use the image's newer CUDA on an older driver; update the host's driver",
}
"""Remedies for results of cuInit (cuda.h, `cudaError_enum`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU; `compute_capability` is like `7.5`."""

    name: str
    compute_capability: str


class CudaDriver:
    """The CUDA driver, ready for calls."""

    def __init__(self, load: LibraryLoader = ctypes.CDLL) -> None:
        """Open and initialise it.

        Raises:
            GpuError: there is no driver, no GPU, or the two do not work together.
        """
        try:
            self._library = load("libcuda.so.1")
        except OSError as error:
            raise NoGpuError(
                f"no NVIDIA driver is visible ({error}); start the container with --gpus all on a "
                f"host with the NVIDIA Container Toolkit, or serve without a GPU (profile cpu)"
            ) from error
        self.call("cuInit", 0)

    def call(self, function: str, *arguments: Any) -> None:  # noqa: ANN401
        """Call a function of the driver.

        Raises:
            GpuError: it answered with an error.
        """
        result = getattr(self._library, function)(*arguments)
        if result:
            name = ctypes.c_char_p()
            self._library.cuGetErrorName(result, ctypes.byref(name))
            advice = _ADVICE.get(result, "check the GPU with nvidia-smi")
            kind = NoGpuError if result == _NO_DEVICE else GpuError
            raise kind(
                f"the NVIDIA driver cannot be used: {function} gave {result} "
                f"({(name.value or b'unknown').decode()}); {advice}"
            )

    @property
    def cuda_version(self) -> tuple[int, int]:
        """The newest CUDA that the driver can run, major and minor."""
        number = ctypes.c_int()
        self.call("cuDriverGetVersion", ctypes.byref(number))
        return number.value // 1000, number.value % 1000 // 10

    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that CUDA sees, in its order."""
        count = ctypes.c_int()
        self.call("cuDeviceGetCount", ctypes.byref(count))
        return tuple(self._gpu(index) for index in range(count.value))

    def _gpu(self, index: int) -> Gpu:
        device = ctypes.c_int()
        self.call("cuDeviceGet", ctypes.byref(device), index)
        name = ctypes.create_string_buffer(_NAME_BYTES)
        self.call("cuDeviceGetName", name, _NAME_BYTES, device)
        parts = []
        for attribute in (_MAJOR_ATTRIBUTE, _MINOR_ATTRIBUTE):
            value = ctypes.c_int()
            self.call("cuDeviceGetAttribute", ctypes.byref(value), attribute, device)
            parts.append(value.value)
        return Gpu(name=name.value.decode(), compute_capability=".".join(map(str, parts)))


def driver_version(load: LibraryLoader = ctypes.CDLL) -> str:
    """The version of the host's driver, as nvidia-smi prints it; `unknown` without NVML."""
    try:
        library = load("libnvidia-ml.so.1")
    except OSError:
        return "unknown"
    version = ctypes.create_string_buffer(_NAME_BYTES)
    if library.nvmlInit_v2() or library.nvmlSystemGetDriverVersion(version, _NAME_BYTES):
        return "unknown"
    library.nvmlShutdown()
    return version.value.decode()


def tensorrt_version(load: LibraryLoader = ctypes.CDLL) -> str:
    """The version, like `10.4.0`, of the TensorRT that a server here loads.

    Raises:
        PlanError: there is none.
    """
    packaged = importlib.util.find_spec("tensorrt_libs")
    folders = packaged.submodule_search_locations if packaged is not None else None
    for major in ("11", "10", "8"):
        name = f"libnvinfer.so.{major}"
        for path in (name, *(str(Path(folder) / name) for folder in folders or ())):
            try:
                library = load(path)
            except OSError:
                continue
            return _version_from_number(int(library.getInferLibVersion()))
    raise PlanError(
        "TensorRT is not here: no libnvinfer.so.11 or .10; use NVIDIA's tritonserver image, or "
        "run: pip install -e '.[tensorrt]'"
    )


def _version_from_number(number: int) -> str:
    """As NvInferVersion.h composes it: major * 10000 from version 10 on, major * 1000 before."""
    step = 10000 if number >= 100000 else 1000
    return f"{number // step}.{number % step // 100}.{number % 100}"
