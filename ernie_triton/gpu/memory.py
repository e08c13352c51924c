"""Buffers on the first GPU that are kept from one run to the next, each with pinned host memory.

Needs a GPU: written to the CUDA driver's documentation and tested against a stand-in for it.
"""

import ctypes
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Array
from ernie_triton.gpu.driver import CudaDriver

_SMALLEST_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Buffer:
    """A piece of the GPU's memory and as much pinned memory of the host."""

    size_bytes: int
    device: int
    host: int


class DeviceMemory:
    """Buffers by name, which grow and stay; the driver copies pinned memory without a detour.

    The context is the device's primary one, which TensorRT uses as well. One thread at a time may
    use it, and each says so with `enter`.
    """

    def __init__(self, driver: CudaDriver | None = None) -> None:
        """Take the first GPU.

        Raises:
            GpuError: it cannot be used.
        """
        self._driver = driver or CudaDriver()
        self._buffers: dict[str, _Buffer] = {}
        self._device = ctypes.c_int()
        self._stream = ctypes.c_void_p()
        self._context = ctypes.c_void_p()
        self._driver.call("cuDeviceGet", ctypes.byref(self._device), 0)
        self._driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)
        self.enter()
        self._driver.call("cuStreamCreate", ctypes.byref(self._stream), 0)

    @property
    def stream(self) -> int:
        """The handle of the stream to run on."""
        return int(self._stream.value or 0)

    @property
    def free_bytes(self) -> int:
        """Memory of the GPU that no process has taken."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._driver.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value

    def enter(self) -> None:
        """Let the calling thread use this memory; a thread has a context of its own."""
        self._driver.call("cuCtxSetCurrent", self._context)

    def reserve(self, name: str, size_bytes: int) -> int:
        """The address of a buffer of at least so many bytes; what was in it is lost if it grows.

        Raises:
            GpuError: there is not that much memory left.
        """
        kept = self._buffers.get(name)
        if kept is None or kept.size_bytes < size_bytes:
            self._free(name)
            kept = self._buffers[name] = self._allocated(max(size_bytes, _SMALLEST_BYTES))
        return kept.device

    def upload(self, name: str, array: Array) -> int:
        """The address of a copy of an array, which is there for what the stream does next."""
        array = np.ascontiguousarray(array)
        self.reserve(name, array.nbytes)
        buffer = self._buffers[name]
        ctypes.memmove(buffer.host, array.ctypes.data, array.nbytes)
        self._copy("cuMemcpyHtoDAsync_v2", _device(buffer), _host(buffer), array.nbytes)
        return buffer.device

    def download(
        self, wanted: Mapping[str, tuple[tuple[int, ...], npt.DTypeLike]]
    ) -> dict[str, Array]:
        """The arrays in these buffers, when all that was put on the stream is done.

        Args:
            wanted: shape and type of each, by the buffer's name.
        """
        found = {name: np.empty(shape, dtype) for name, (shape, dtype) in wanted.items()}
        for name, array in found.items():
            buffer = self._buffers[name]
            self._copy("cuMemcpyDtoHAsync_v2", _host(buffer), _device(buffer), array.nbytes)
        self._driver.call("cuStreamSynchronize", self._stream)
        for name, array in found.items():
            ctypes.memmove(array.ctypes.data, self._buffers[name].host, array.nbytes)
        return found

    def close(self) -> None:
        """Give everything back."""
        self.enter()
        for name in [*self._buffers]:
            self._free(name)
        self._driver.call("cuStreamDestroy_v2", self._stream)
        self._driver.call("cuDevicePrimaryCtxRelease_v2", self._device)

    def close_with(self, owner: object) -> None:
        """Close when an object is gone; not at the process's end, where the driver may be gone."""
        weakref.finalize(owner, self.close).atexit = False

    def _allocated(self, size_bytes: int) -> _Buffer:
        size = 1 << (size_bytes - 1).bit_length()  # grows rarely
        device, host = ctypes.c_uint64(), ctypes.c_void_p()
        self._driver.call("cuMemAlloc_v2", ctypes.byref(device), ctypes.c_size_t(size))
        try:
            self._driver.call("cuMemAllocHost_v2", ctypes.byref(host), ctypes.c_size_t(size))
        except Exception:
            self._driver.call("cuMemFree_v2", device)
            raise
        return _Buffer(size_bytes=size, device=device.value, host=int(host.value or 0))

    def _free(self, name: str) -> None:
        if buffer := self._buffers.pop(name, None):
            self._driver.call("cuStreamSynchronize", self._stream)  # nothing copies from it
            self._driver.call("cuMemFree_v2", _device(buffer))
            self._driver.call("cuMemFreeHost", _host(buffer))

    def _copy(self, function: str, to: object, source: object, size_bytes: int) -> None:
        if size_bytes:
            self._driver.call(function, to, source, ctypes.c_size_t(size_bytes), self._stream)


def _device(buffer: _Buffer) -> ctypes.c_uint64:
    return ctypes.c_uint64(buffer.device)


def _host(buffer: _Buffer) -> ctypes.c_void_p:
    return ctypes.c_void_p(buffer.host)
