"""Requests to a stage, and checks of every answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from ernie_triton.arrays import Array, Tensors
from ernie_triton.stages.stage import Stage
from ernie_triton.tasks import TensorSpec
from tests.engines.tiny_model import LABELS

ANSWER_S = 20.0
"""Longest wait for an answer that comes later."""

TYPE_NAMES: Mapping[str, str] = {
    "int32": "INT32",
    "int64": "INT64",
    "float32": "FP32",
    "bool": "BOOL",
    "object": "STRING",
}


def texts(*values: str | bytes) -> Array:
    """A column of texts as Triton hands it over."""
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return np.array(encoded, dtype=np.object_)[:, None]


def answers(stage: Stage[Any], requests: Sequence[Tensors]) -> list[Tensors]:
    """The answers to a batch, those that come later included."""
    outputs = stage.run([stage.read(tensors) for tensors in requests])
    assert len(outputs) == len(requests)
    return [one.result(ANSWER_S) if isinstance(one, Future) else one for one in outputs]


def assert_as_declared(tensors: Tensors, specs: Sequence[TensorSpec], rows: int) -> None:
    """Names, types and shapes of an answer are those of the contract."""
    assert set(tensors) == {spec.name for spec in specs}
    for spec in specs:
        array = tensors[spec.name]
        assert TYPE_NAMES[array.dtype.name] == spec.dtype
        dims = spec.resolved({"labels": LABELS})
        assert array.shape == (
            rows,
            *(
                found if dim == -1 else dim
                for dim, found in zip(dims, array.shape[1:], strict=True)
            ),
        )
