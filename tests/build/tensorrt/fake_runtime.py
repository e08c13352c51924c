"""Stands in for TensorRT's runtime: an engine that reads and writes the buffers it is given.

It computes with ONNX Runtime what the graph says, from the addresses that it was told, so that
every step around the real `execute_async_v3` is needed for a right answer.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class TensorIOMode(Enum):
    INPUT = 0
    OUTPUT = 1


class IOutputAllocator:
    """As TensorRT's own class, which its context insists on."""


@dataclass
class FakeContext:
    session: Any
    most_rows: int
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)
    allocators: dict[str, Any] = field(default_factory=dict)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = tuple(shape)
        return shape[0] <= self.most_rows

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
        names = [item.name for item in self.session.get_outputs()]
        for name, array in zip(names, self.session.run(names, feed), strict=True):
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
    most_rows: int
    has_memory: bool

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

    def create_execution_context(self) -> FakeContext | None:
        return FakeContext(self.session, self.most_rows) if self.has_memory else None


class FakeModule:
    """The part of the module `tensorrt` that runs plans; a plan is the path of its graph."""

    TensorIOMode = TensorIOMode
    IOutputAllocator = IOutputAllocator
    most_rows = 10_000
    has_memory = True

    def Runtime(self, _log: Any) -> FakeModule:  # noqa: N802
        return self

    def deserialize_cuda_engine(self, plan: bytes) -> FakeEngine | None:
        path = Path(plan.decode())
        if not path.is_file():
            return None
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return FakeEngine(session, self.most_rows, self.has_memory)

    def nptype(self, dtype: str) -> Any:
        return np.dtype(dtype).type


@dataclass
class FakeTensorRt:
    """What `TensorRt` is to the runner."""

    module: FakeModule = field(default_factory=FakeModule)
    log: None = None

    def last_error(self) -> str:
        return "the reason that TensorRT gave"
