"""INT8 graphs for CPU runtimes keep their numbers, and run in int8 where they should."""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from ernie_triton.batch import TokenBatch
from ernie_triton.build.convert.calibration import input_scales, observed
from ernie_triton.build.graph.cpu_int8 import (
    WORD_TABLE,
    for_onnx_runtime,
    for_openvino,
    with_int8_table,
)
from ernie_triton.build.graph.export import export_onnx, quantizable_linears
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.random_models.torch_export import model_from_classifier
from ernie_triton.engines.onnx_runtime import exact_options
from tests.build.models import random_rows

BATCH = random_rows((9, 2, 30, 12), types=2)


def feeds(batch: TokenBatch, layout: str) -> Any:
    if layout == "packed":
        return batch.packed()
    padded = batch.padded(0, 32)
    return {name: padded[name] for name in ("input_ids", "token_type_ids")}


def quantised(ernie: Any, layout: str) -> onnx.ModelProto:
    model = model_from_classifier(ernie)
    linears = quantizable_linears(model, layout)
    graph = export_onnx(model, layout)
    seen = observed(graph, linears.values(), [BATCH], lambda batch: feeds(batch, layout))
    return export_onnx(model, layout, Numerics(input_scales=input_scales(linears, seen, "minmax")))


@pytest.fixture(scope="module")
def int8_graph(ernie: Any) -> onnx.ModelProto:
    return quantised(ernie, "packed")


def logits(
    graph: onnx.ModelProto,
    batch: TokenBatch,
    layout: str = "packed",
    optimised: Path | None = None,
    *,
    as_written: bool = False,
) -> Any:
    options = onnxruntime.SessionOptions() if as_written else exact_options()
    if as_written:  # every operator by itself, in floating point
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds(batch, layout))[0]


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_onnx_runtime_computes_the_same_and_every_product_in_int8(
    int8_graph: onnx.ModelProto, tmp_path: Path
) -> None:
    before = int8_graph.SerializeToString()
    changed = for_onnx_runtime(int8_graph)
    assert int8_graph.SerializeToString() == before
    onnx.checker.check_model(changed, full_check=True)
    quantised = sum(node.name.endswith("/input/int8") for node in changed.graph.node)
    assert quantised
    found = logits(changed, BATCH, optimised=tmp_path / "int8.onnx")
    np.testing.assert_allclose(found, logits(int8_graph, BATCH), rtol=0, atol=1e-5)
    # Otherwise int8 would be slower than FP32: rounded, and multiplied in FP32 all the same.
    assert operators(tmp_path / "int8.onnx")["MatMulIntegerToFloat"] == 12


def test_a_graph_without_int8_is_left_as_it_is(ernie: Any) -> None:
    graph = export_onnx(model_from_classifier(ernie), "packed")
    assert for_onnx_runtime(graph) == graph


def test_the_word_table_is_int8_with_a_scale_for_each_token(ernie: Any) -> None:
    model = model_from_classifier(ernie)
    graph = export_onnx(model, "packed")
    changed = with_int8_table(graph)
    onnx.checker.check_model(changed, full_check=True)
    arrays = {item.name: numpy_helper.to_array(item) for item in changed.graph.initializer}
    table, scales = arrays[f"{WORD_TABLE}/weight"], arrays[f"{WORD_TABLE}/scales"]
    assert table.dtype == np.int8
    assert table.shape == model.encoder.word.shape
    # No value is off by more than half a step, and a step is the largest of its row over 127.
    half = np.abs(model.encoder.word).max(axis=1, keepdims=True) / 127 / 2
    assert (np.abs(table * scales - model.encoder.word) <= half * 1.001).all()


def test_the_graph_looks_up_what_the_table_holds(ernie: Any) -> None:
    model = model_from_classifier(ernie)
    changed = with_int8_table(export_onnx(model, "packed"))
    arrays = {item.name: numpy_helper.to_array(item) for item in changed.graph.initializer}
    word = arrays[f"{WORD_TABLE}/weight"] * arrays[f"{WORD_TABLE}/scales"]
    encoder = dataclasses.replace(model.encoder, word=word.astype(np.float32))
    expected = export_onnx(dataclasses.replace(model, encoder=encoder), "packed")
    np.testing.assert_allclose(logits(changed, BATCH), logits(expected, BATCH), rtol=0, atol=1e-5)


def producers(graph: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {output: node for node in graph.graph.node for output in node.output}


@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_openvino_gets_the_same_numbers(ernie: Any, layout: str) -> None:
    graph = quantised(ernie, layout)
    before = graph.SerializeToString()
    changed = for_openvino(graph)
    assert graph.SerializeToString() == before
    onnx.checker.check_model(changed, full_check=True)
    assert changed.graph.output == graph.graph.output
    found, expected = (logits(each, BATCH, layout, as_written=True) for each in (changed, graph))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_roundings_have_an_operation_of_their_own_before_them(ernie: Any) -> None:
    changed = for_openvino(quantised(ernie, "packed"))
    made_by = producers(changed)
    read = Counter(name for node in changed.graph.node for name in node.input)
    roundings = [node for node in changed.graph.node if node.op_type == "QuantizeLinear"]
    assert len(roundings) == 9
    assert all(read[node.input[0]] == 1 for node in roundings)
    before = Counter(made_by[node.input[0]].op_type for node in roundings)
    # Of two layers: what norms give is bounded, contexts and activations are rounded at once; the
    # last layer's query reads the first tokens alone.
    assert before == {"Max": 5, "MatMul": 2, "Gelu": 2}


def test_the_bound_is_below_every_int8(ernie: Any) -> None:
    changed = for_openvino(quantised(ernie, "packed"))
    arrays = {item.name: numpy_helper.to_array(item) for item in changed.graph.initializer}
    steps = {
        node.name: arrays[node.input[1]]
        for node in changed.graph.node
        if node.op_type == "QuantizeLinear"
    }
    bounds = {
        name.removesuffix("/bound"): float(value)
        for name, value in arrays.items()
        if name.endswith("/bound")
    }
    assert bounds
    assert all(bound < -128 * float(steps[name]) for name, bound in bounds.items())


def test_a_graph_without_roundings_is_left_as_it_is(ernie: Any) -> None:
    graph = export_onnx(model_from_classifier(ernie), "packed")
    assert for_openvino(graph) == graph
