"""A plan run on the GPU that it was built on, input arrays to output arrays.

Needs a GPU: written to TensorRT's documentation and tested against stand-ins for TensorRT and for
the CUDA driver, not on a GPU.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Tensors
from ernie_triton.build.tensorrt.api import TensorRt
from ernie_triton.build.tensorrt.cuda import DeviceMemory
from ernie_triton.errors import PlanError

Run = Callable[[Tensors], dict[str, npt.NDArray[Any]]]
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
            places = {}
            for name in outputs:
                shape = tuple(context.get_tensor_shape(name))
                dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
                if min(shape, default=0) < 0:
                    raise PlanError(f"the shape of {name}, {list(shape)}, is not known beforehand")
                address = memory.allocate(dtype.itemsize * int(np.prod(shape)))
                context.set_tensor_address(name, address)
                places[name] = (address, shape, dtype)
            if not context.execute_async_v3(memory.stream):
                raise PlanError("the plan was not run: TensorRT refused to start it")
            return {name: memory.download(*place) for name, place in places.items()}
