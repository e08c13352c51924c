"""Run a plan on the GPU that it was built on, from input arrays to output arrays.

Needs a GPU: written to TensorRT's documentation and tested against stand-ins for TensorRT and for
the CUDA driver, not on a GPU.
"""

import ctypes
import functools
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Array, Tensors
from ernie_triton.build.tensorrt.api import TensorRt
from ernie_triton.errors import GpuError, PlanError
from ernie_triton.server.gpu import CudaDriver

Runner = Callable[[Tensors], dict[str, npt.NDArray[Any]]]
"""Runs a plan, or the graph that it was built from, once."""


class PlanRunner:
    """A plan that was loaded; call it with the inputs of one batch."""

    def __init__(self, tensorrt: TensorRt, plan: bytes) -> None:
        """Load a plan.

        Raises:
            PlanError: TensorRT refuses it, or there is not enough GPU memory for its largest shape.
        """
        trt = tensorrt.module
        self._module = trt
        self._runtime = trt.Runtime(tensorrt.log)  # engines need it for as long as they live
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise PlanError(f"the plan cannot be loaded: {tensorrt.last_error()}")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise PlanError(
                f"the plan cannot be run: {tensorrt.last_error()}; free GPU memory, or build the "
                f"pipeline with a smaller --max-batch-size or --max-length"
            )

    def __call__(self, inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        """Run once.

        Args:
            inputs: arrays of the types that the graph declares; those it does not have are left.

        Raises:
            PlanError: the shapes are outside of the plan's profile, or the run failed.
            GpuError: there is not enough memory for the outputs.
        """
        trt, engine, context = self._module, self._engine, self._context
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        outputs = [n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.OUTPUT]
        with DeviceMemory() as memory:
            for name in names:
                if name in outputs:
                    continue
                if not context.set_input_shape(name, inputs[name].shape):
                    raise PlanError(
                        f"the plan does not take {name} of the shape {list(inputs[name].shape)}"
                    )
                array = inputs[name].astype(trt.nptype(engine.get_tensor_dtype(name)), copy=False)
                context.set_tensor_address(name, memory.upload(array))
            found = output_allocator_class(trt)(memory)
            for name in outputs:
                context.set_output_allocator(name, found)
            if not context.execute_async_v3(memory.stream):
                raise found.error or PlanError("the plan was not run: TensorRT refused to start it")
            return {
                name: memory.download(
                    found.addresses[name],
                    found.shapes[name],
                    trt.nptype(engine.get_tensor_dtype(name)),
                )
                for name in outputs
            }


@functools.cache
def output_allocator_class(module: Any) -> Any:  # noqa: ANN401
    """A class of output allocators: TensorRT says how much memory it wants, and later the shape.

    So an output may have a shape that only the run knows. TensorRT calls from C++, where an
    exception would end the process: `error` keeps what went wrong.

    Args:
        module: `tensorrt`, from 10.4 on. Before 10.0 it knew `reallocate_output` alone.
    """

    class OutputAllocator(module.IOutputAllocator):  # type: ignore[misc]
        def __init__(self, memory: DeviceMemory) -> None:
            super().__init__()
            self.addresses: dict[str, int] = {}
            self.shapes: dict[str, tuple[int, ...]] = {}
            self.error: GpuError | None = None
            self._memory = memory

        def reallocate_output_async(
            self, name: str, _address: int, size: int, _alignment: int, _stream: int
        ) -> int:
            try:  # the driver aligns to 256 bytes, more than any output wants
                self.addresses[name] = self._memory.allocate(size)
            except GpuError as error:
                self.error = error
                return 0
            return self.addresses[name]

        def notify_shape(self, name: str, shape: Sequence[int]) -> None:
            self.shapes[name] = tuple(shape)

    return OutputAllocator


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
