"""Run a plan on the GPU that it was built on, from input arrays to output arrays.

Needs a GPU: written to TensorRT's documentation and tested against stand-ins for TensorRT and for
the CUDA driver, not on a GPU.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from ernie_triton.arrays import Tensors
from ernie_triton.engines.tensorrt_module import TensorRtModule
from ernie_triton.errors import GpuError, PlanError
from ernie_triton.gpu.memory import DeviceMemory

Runner = Callable[[Tensors], dict[str, npt.NDArray[Any]]]
"""Runs a plan, or the graph that it was built from, once."""


class PlanRunner:
    """A plan that was loaded; call it with the inputs of one batch.

    Its memory on the GPU and its pinned memory stay for the next run, and grow to the largest.

    Attributes:
        input_types: of the plan's inputs, by name.
    """

    def __init__(
        self, tensorrt: TensorRtModule, plan: bytes, memory: DeviceMemory | None = None
    ) -> None:
        """Load a plan.

        Raises:
            GpuError: there is no GPU that can be used.
            PlanError: TensorRT refuses it, or there is not enough GPU memory for its largest shape.
        """
        trt = tensorrt.module
        self._memory = memory or DeviceMemory()
        self._memory.close_with(self)
        self._runtime = trt.Runtime(tensorrt.log)  # engines need it for as long as they live
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise PlanError(f"the plan cannot be loaded: {tensorrt.last_error()}")
        self._context = _execution_context(trt, self._engine)
        if self._context is None:
            raise PlanError(
                f"the plan cannot be run: {tensorrt.last_error()}; free GPU memory, or build the "
                f"pipeline with a smaller --max-batch-size or --max-length"
            )
        types: dict[str, npt.DTypeLike] = {}
        outputs = []
        for name in map(self._engine.get_tensor_name, range(self._engine.num_io_tensors)):
            types[name] = trt.nptype(self._engine.get_tensor_dtype(name))
            if self._engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT:
                outputs.append(name)
        self.input_types = {name: kind for name, kind in types.items() if name not in outputs}
        self._output_types = {name: types[name] for name in outputs}
        self._found = output_allocator_class(trt)(self._memory)
        for name in outputs:
            self._context.set_output_allocator(name, self._found)

    def largest_shape(self, name: str) -> tuple[int, ...]:
        """The largest shape of an input that the plan takes."""
        return tuple(self._engine.get_tensor_profile_shape(name, 0)[2])

    def __call__(self, inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        """Run once, from any thread, one at a time.

        Args:
            inputs: arrays of the types that the graph declares; those it does not have are left.

        Raises:
            PlanError: the shapes are outside of the plan's profile, or the run failed.
            GpuError: there is not enough memory for the outputs.
        """
        memory, context = self._memory, self._context
        memory.enter()
        for name, kind in self.input_types.items():
            if not context.set_input_shape(name, inputs[name].shape):
                raise PlanError(
                    f"the plan does not take {name} of the shape {list(inputs[name].shape)}"
                )
            array = inputs[name].astype(kind, copy=False)
            context.set_tensor_address(name, memory.upload(name, array))
        self._found.error = None
        if not context.execute_async_v3(memory.stream):
            raise self._found.error or PlanError(
                "the plan was not run: TensorRT refused to start it"
            )
        shapes = self._found.shapes
        return memory.download({name: (shapes[name], t) for name, t in self._output_types.items()})


def _execution_context(module: Any, engine: Any) -> Any:  # noqa: ANN401
    """A context of an engine; None where there is no memory for it.

    TensorRT for RTX would compile kernels for each shape that it meets, beside the requests. The
    token counts of packed batches hardly repeat, so its kernels for all shapes are to serve.
    """
    if not hasattr(module, "DynamicShapesKernelSpecializationStrategy"):
        return engine.create_execution_context()
    config = engine.create_runtime_config()
    config.dynamic_shapes_kernel_specialization_strategy = (
        module.DynamicShapesKernelSpecializationStrategy.NONE
    )
    return engine.create_execution_context(config)


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
            self.shapes: dict[str, tuple[int, ...]] = {}
            self.error: GpuError | None = None
            self._memory = memory

        def reallocate_output_async(
            self, name: str, _address: int, size: int, _alignment: int, _stream: int
        ) -> int:
            try:  # the driver aligns to 256 bytes, more than any output wants
                return self._memory.reserve(name, size)
            except GpuError as error:
                self.error = error
                return 0

        def notify_shape(self, name: str, shape: Sequence[int]) -> None:
            self.shapes[name] = tuple(shape)

    return OutputAllocator
