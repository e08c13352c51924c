"""GPU memory for running a plan once, through the CUDA driver's own library.

The driver's library is there wherever a GPU is, under one name for every CUDA version, and seven of
its functions are enough; a CUDA package for Python would have to match the image's version.
"""

import ctypes
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Array
from ernie_triton.server.gpu import CudaDriver


class DeviceMemory:
    """Buffers on the first GPU, all freed at the end; a context manager.

    The context is the device's primary one, which TensorRT uses as well.
    """

    def __init__(self, driver: CudaDriver | None = None) -> None:
        """Take the first GPU.

        Raises:
            GpuError: it cannot be used.
        """
        self._driver = driver or CudaDriver()
        self._addresses: list[int] = []
        self._device = ctypes.c_int()
        self._stream = ctypes.c_void_p()
        context = ctypes.c_void_p()
        self._driver.call("cuDeviceGet", ctypes.byref(self._device), 0)
        self._driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), self._device)
        self._driver.call("cuCtxSetCurrent", context)
        self._driver.call("cuStreamCreate", ctypes.byref(self._stream), 0)

    @property
    def stream(self) -> int:
        """The handle of the stream to run on."""
        return int(self._stream.value or 0)

    def allocate(self, size_bytes: int) -> int:
        """The address of a new buffer.

        Raises:
            GpuError: there is not that much memory left.
        """
        address = ctypes.c_uint64()
        # Empty buffers are refused, and a tensor may be empty.
        size = ctypes.c_size_t(max(size_bytes, 1))
        self._driver.call("cuMemAlloc_v2", ctypes.byref(address), size)
        self._addresses.append(address.value)
        return address.value

    def upload(self, array: Array) -> int:
        """The address of a copy of an array."""
        array = np.ascontiguousarray(array)
        address = self.allocate(array.nbytes)
        pointer = array.ctypes.data_as(ctypes.c_void_p)
        size = ctypes.c_size_t(array.nbytes)
        self._driver.call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), pointer, size)
        return address

    def download(self, address: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """The array in a buffer, when all that was put on the stream is done."""
        self._driver.call("cuStreamSynchronize", self._stream)
        array = np.empty(shape, dtype)
        pointer = array.ctypes.data_as(ctypes.c_void_p)
        size = ctypes.c_size_t(array.nbytes)
        self._driver.call("cuMemcpyDtoH_v2", pointer, ctypes.c_uint64(address), size)
        return array

    def free(self) -> None:
        """Free the buffers."""
        while self._addresses:
            self._driver.call("cuMemFree_v2", ctypes.c_uint64(self._addresses.pop()))

    def __enter__(self) -> "DeviceMemory":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.free()
        self._driver.call("cuStreamDestroy_v2", self._stream)
        self._driver.call("cuDevicePrimaryCtxRelease_v2", self._device)
