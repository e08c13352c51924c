"""Stands in for TensorRT's runtime: an engine that reads and writes the buffers it is given.

It computes with ONNX Runtime what the graph says, from the addresses that it was told, so that
every step around the real `execute_async_v3` is needed for a right answer.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

GRAPH_MARK = b"graph:"


class TensorIOMode(Enum):
    INPUT = 0
    OUTPUT = 1


class Strategy(Enum):
    LAZY = 0
    NONE = 2


class IOutputAllocator:
    """As TensorRT's own class, which its context insists on."""


class ILogger:
    ERROR = 1


@dataclass
class FakeContext:
    engine: FakeEngine
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)
    allocators: dict[str, Any] = field(default_factory=dict)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = tuple(shape)
        most = self.engine.get_tensor_profile_shape(name, 0)[2]
        return all(given <= allowed for given, allowed in zip(shape, most, strict=True))

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def set_output_allocator(self, name: str, allocator: IOutputAllocator) -> bool:
        assert isinstance(allocator, IOutputAllocator)
        self.allocators[name] = allocator
        return True

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 77
        feed = {}
        for name, shape in self.shapes.items():
            array = np.empty(shape, np.int32)
            ctypes.memmove(array.ctypes.data, self.addresses[name], array.nbytes)
            feed[name] = array
        session = self.engine.session
        names = [item.name for item in session.get_outputs()]
        for name, array in zip(names, session.run(names, feed), strict=True):
            allocator: Any = self.allocators[name]
            # An upper bound first, as TensorRT does where a shape depends on values.
            for size in (array.nbytes + 64, array.nbytes):
                address = allocator.reallocate_output_async(name, 0, size, 256, stream)
                if not address:
                    return False
            ctypes.memmove(address, array.ctypes.data, array.nbytes)
            allocator.notify_shape(name, list(array.shape))
        return True


@dataclass
class FakeEngine:
    session: Any
    module: FakeModule

    @property
    def names(self) -> list[str]:
        parts = (*self.session.get_inputs(), *self.session.get_outputs())
        return [item.name for item in parts]

    @property
    def num_io_tensors(self) -> int:
        return len(self.names)

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        inputs = {item.name for item in self.session.get_inputs()}
        return TensorIOMode.INPUT if name in inputs else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> str:
        parts = (*self.session.get_inputs(), *self.session.get_outputs())
        kind = str(next(item.type for item in parts if item.name == name))
        return {"tensor(float)": "float32"}.get(kind, kind[len("tensor(") : -1])

    def get_tensor_profile_shape(self, name: str, index: int) -> list[tuple[int, ...]]:
        assert index == 0
        rows, length = self.module.most_rows, self.module.most_tokens
        (rank,) = (len(item.shape) for item in self.session.get_inputs() if item.name == name)
        most = (rows, length) if rank == 2 else (rows if name == "lengths" else rows * length,)
        return [(1,) * rank, (1,) * rank, most]

    def create_execution_context(self) -> FakeContext | None:
        return FakeContext(self) if self.module.has_memory else None


class FakeModule:
    """The part of the module `tensorrt` that runs plans; a plan ends with the path of its graph."""

    __name__ = "tensorrt"
    __version__ = "10.4.0"
    TensorIOMode = TensorIOMode
    IOutputAllocator = IOutputAllocator
    ILogger = ILogger
    most_rows = 10_000
    most_tokens = 128
    has_memory = True

    def Runtime(self, _log: Any) -> FakeModule:  # noqa: N802
        return self

    def deserialize_cuda_engine(self, plan: bytes) -> FakeEngine | None:
        path = Path(plan.partition(GRAPH_MARK)[2].decode())
        if not path.is_file():
            return None
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return FakeEngine(session, self)

    def nptype(self, dtype: str) -> Any:
        return np.dtype(dtype).type


class FakeRtxModule(FakeModule):
    """The same of `tensorrt_rtx`, whose contexts have a configuration."""

    __name__ = "tensorrt_rtx"
    __version__ = "1.7.1.116"
    DynamicShapesKernelSpecializationStrategy = Strategy

    def deserialize_cuda_engine(self, plan: bytes) -> FakeEngine | None:
        engine = super().deserialize_cuda_engine(plan)
        return engine and FakeRtxEngine(engine.session, self)


class FakeRtxEngine(FakeEngine):
    def create_runtime_config(self) -> Any:
        return SimpleNamespace(dynamic_shapes_kernel_specialization_strategy=Strategy.LAZY)

    def create_execution_context(self, config: Any = None) -> FakeContext | None:
        assert config.dynamic_shapes_kernel_specialization_strategy == Strategy.NONE
        return super().create_execution_context()


def plan_of(graph: Path, head: bytes = b"") -> bytes:
    """A plan that computes what a graph says."""
    return head + GRAPH_MARK + str(graph).encode()
