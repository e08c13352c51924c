"""Stands in for the libraries of an NVIDIA driver and for TensorRT's, at the seam of ctypes.

Functions take what ctypes would hand to C, and write through the same references. Device memory is
host memory, so that what is copied to it can be read back. As with a GPU, a thread needs a context,
and what is copied from the device is there when the stream was waited for.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ernie_triton.gpu.driver import Gpu

T4 = Gpu(name="Tesla T4", compute_capability="7.5")
V100 = Gpu(name="Tesla V100-SXM2-16GB", compute_capability="7.0")
A10 = Gpu(name="NVIDIA A10", compute_capability="8.6")


@dataclass
class FakeDriver:
    """libcuda of a machine with these GPUs.

    Attributes:
        gpus: in CUDA's order.
        cuda: the newest version that it runs.
        results: what a function gives instead of 0.
        memory: buffers of the device by address; `pinned` those of the host.
        calls: names of the functions, as they were called.
        most_buffers: of the device.
        free_bytes: of the device, as it says.
    """

    gpus: tuple[Gpu, ...] = (T4,)
    cuda: int = 12060
    results: dict[str, int] = field(default_factory=dict)
    memory: dict[int, Any] = field(default_factory=dict)
    pinned: dict[int, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    most_buffers: int = 1 << 30
    free_bytes: int = 16 << 30
    contexts: threading.local = field(default_factory=threading.local)
    copies: list[Callable[[], object]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)
        function = getattr(self, f"_{name}", lambda *_: None)

        def call(*arguments: Any) -> int:
            self.calls.append(name)
            if name in self.results:
                return self.results[name]
            if name.startswith(("cuMem", "cuStream")) and not hasattr(self.contexts, "current"):
                return 201
            if name == "cuMemAlloc_v2" and len(self.memory) == self.most_buffers:
                return 2
            function(*arguments)
            return 0

        return call

    def _cuGetErrorName(self, result: int, name: Any) -> None:  # noqa: N802
        name._obj.value = {
            2: b"CUDA_ERROR_OUT_OF_MEMORY",
            100: b"CUDA_ERROR_NO_DEVICE",
            201: b"CUDA_ERROR_INVALID_CONTEXT",
        }.get(result, b"CUDA_ERROR_UNKNOWN")

    def _cuDriverGetVersion(self, number: Any) -> None:  # noqa: N802
        number._obj.value = self.cuda

    def _cuDeviceGetCount(self, count: Any) -> None:  # noqa: N802
        count._obj.value = len(self.gpus)

    def _cuDeviceGet(self, device: Any, index: int) -> None:  # noqa: N802
        device._obj.value = index

    def _cuDeviceGetName(self, name: Any, size: int, device: Any) -> None:  # noqa: N802
        name.value = self.gpus[device.value].name.encode()[: size - 1]

    def _cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> None:  # noqa: N802
        parts = self.gpus[device.value].compute_capability.split(".")
        value._obj.value = int(parts[{75: 0, 76: 1}[attribute]])

    def _cuStreamCreate(self, stream: Any, _flags: int) -> None:  # noqa: N802
        stream._obj.value = 77

    def _cuMemAlloc_v2(self, address: Any, size: Any) -> None:  # noqa: N802
        buffer = ctypes.create_string_buffer(size.value)
        address._obj.value = ctypes.addressof(buffer)
        self.memory[ctypes.addressof(buffer)] = buffer

    def _cuMemAllocHost_v2(self, address: Any, size: Any) -> None:  # noqa: N802
        buffer = ctypes.create_string_buffer(size.value)
        address._obj.value = ctypes.addressof(buffer)
        self.pinned[ctypes.addressof(buffer)] = buffer

    def _cuMemGetInfo_v2(self, free: Any, total: Any) -> None:  # noqa: N802
        free._obj.value = total._obj.value = self.free_bytes

    def _cuCtxSetCurrent(self, context: Any) -> None:  # noqa: N802
        self.contexts.current = context

    def _cuMemcpyHtoDAsync_v2(self, to: Any, source: Any, size: Any, _stream: Any) -> None:  # noqa: N802
        assert source.value in self.pinned
        ctypes.memmove(to.value, source.value, size.value)

    def _cuMemcpyDtoHAsync_v2(self, to: Any, source: Any, size: Any, _stream: Any) -> None:  # noqa: N802
        assert to.value in self.pinned
        assert source.value in self.memory
        self.copies.append(lambda: ctypes.memmove(to.value, source.value, size.value))

    def _cuStreamSynchronize(self, _stream: Any) -> None:  # noqa: N802
        while self.copies:
            self.copies.pop(0)()

    def _cuMemFree_v2(self, address: Any) -> None:  # noqa: N802
        del self.memory[address.value]

    def _cuMemFreeHost(self, address: Any) -> None:  # noqa: N802
        del self.pinned[address.value]


@dataclass
class FakeNvml:
    """libnvidia-ml of a driver of this version."""

    version: str = "560.35.03"

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlSystemGetDriverVersion(self, version: Any, _size: int) -> int:  # noqa: N802
        version.value = self.version.encode()
        return 0

    def nvmlShutdown(self) -> int:  # noqa: N802
        return 0


@dataclass
class FakeInferenceLibrary:
    """libnvinfer; `number` is what its header calls NV_TENSORRT_VERSION."""

    number: int = 100400

    def getInferLibVersion(self) -> int:  # noqa: N802
        return self.number


@dataclass
class Libraries:
    """Opens the stand-ins by their file names, as `ctypes.CDLL` opens the real ones."""

    by_name: dict[str, Any]

    def __call__(self, name: str) -> Any:
        if name not in self.by_name:
            raise OSError(f"{name}: cannot open shared object file")
        return self.by_name[name]


def driver_of(fake: FakeDriver) -> Libraries:
    return Libraries({"libcuda.so.1": fake, "libnvidia-ml.so.1": FakeNvml()})
