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


@dataclass
class FakeContext:
    session: Any
    most_rows: int
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shapes[name] = tuple(shape)
        return shape[0] <= self.most_rows

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        output = next(item for item in self.session.get_outputs() if item.name == name)
        rows = self.shapes.get("lengths", self.shapes["input_ids"])[0]
        return (rows, *output.shape[1:])

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 77
        feed = {}
        for name, shape in self.shapes.items():
            array = np.empty(shape, np.int32)
            ctypes.memmove(array.ctypes.data, self.addresses[name], array.nbytes)
            feed[name] = array
        names = [item.name for item in self.session.get_outputs()]
        for name, array in zip(names, self.session.run(names, feed), strict=True):
            assert array.shape == self.get_tensor_shape(name)
            ctypes.memmove(self.addresses[name], array.ctypes.data, array.nbytes)
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
        return "int32" if self.get_tensor_mode(name) is TensorIOMode.INPUT else "float32"

    def create_execution_context(self) -> FakeContext | None:
        return FakeContext(self.session, self.most_rows) if self.has_memory else None


class FakeModule:
    """The part of the module `tensorrt` that runs plans; a plan is the path of its graph."""

    TensorIOMode = TensorIOMode
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
