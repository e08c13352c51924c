"""A plan that differs from its graph is found out, and one that does not is let through."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.arrays import Tensors
from ernie_triton.build.tensorrt.plan_check import (
    largest_difference,
    onnx_runner,
    sample_batches,
    vocabulary_size,
)
from ernie_triton.build.tensorrt.profiles import EngineShapes
from ernie_triton.engines.tensorrt_plan import Runner
from ernie_triton.errors import ExactnessError
from ernie_triton.model_shapes import VOCABULARY_SIZE
from tests.build.tensorrt.conftest import WriteGraph

PACKED = EngineShapes(layout="packed", max_rows=8, max_length=32, usual_rows=4, usual_tokens=12)
PADDED = EngineShapes(layout="padded", max_rows=8, max_length=32, usual_rows=4, usual_tokens=12)


def shifted(run: Runner, by: float) -> Runner:
    def changed(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        return {name: values + np.float32(by) for name, values in run(inputs).items()}

    return changed


def test_batches_reach_the_corners_of_what_is_allowed() -> None:
    batches = list(sample_batches(PACKED, 50))
    lengths = [length for batch in batches for length in batch.lengths.tolist()]
    assert (min(lengths), max(lengths)) == (2, 32)
    assert [batch.rows for batch in batches] == [1, 1, 6, 4]
    assert all(batch.input_ids.max() < 50 and batch.input_ids.min() >= 1 for batch in batches)


def test_the_vocabulary_is_read_off_the_graph(small_graph: WriteGraph) -> None:
    assert vocabulary_size(small_graph("fp32", "packed")) == VOCABULARY_SIZE


@pytest.mark.parametrize("load", [PACKED, PADDED], ids=lambda load: load.layout)
def test_a_plan_that_computes_the_same_passes(small_graph: WriteGraph, load: EngineShapes) -> None:
    run = onnx_runner(small_graph("fp32", load.layout))
    assert largest_difference(run, run, load, VOCABULARY_SIZE, "fp32") == 0.0
    found = largest_difference(shifted(run, 5e-4), run, load, VOCABULARY_SIZE, "fp32")
    assert found == pytest.approx(5e-4, rel=1e-2)


@pytest.mark.parametrize("by", [0.5, np.nan, np.inf])
def test_a_plan_that_computes_otherwise_fails(small_graph: WriteGraph, by: float) -> None:
    run = onnx_runner(small_graph("fp32", "packed"))
    with pytest.raises(ExactnessError, match="the fp16 plan differs from its graph"):
        largest_difference(shifted(run, by), run, PACKED, VOCABULARY_SIZE, "fp16")


def test_a_plan_with_other_outputs_fails(small_graph: WriteGraph) -> None:
    run = onnx_runner(small_graph("fp32", "packed"))

    def fewer(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        return {name: values[:, 1:] for name, values in run(inputs).items()}

    with pytest.raises(ExactnessError, match=r"logits of the shape \[1, 14\], the graph \[1, 15\]"):
        largest_difference(fewer, run, PACKED, VOCABULARY_SIZE, "fp32")


def test_what_a_padded_plan_says_of_padding_does_not_count() -> None:
    def graph(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        return {"start_logits": inputs["input_ids"].astype(np.float32)}

    def plan(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
        values = graph(inputs)["start_logits"]
        return {"start_logits": np.where(inputs["attention_mask"] == 1, values, 1e9)}

    assert largest_difference(plan, graph, PADDED, 50, "fp32") == 0.0
