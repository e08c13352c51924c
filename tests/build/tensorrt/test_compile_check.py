"""The real compiler of TensorRT for RTX takes our graphs, and what it does not take is named."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import Head, SpanHead, TokenHead, VectorHead
from ernie_triton.build.tensorrt import random_graph as random_graphs
from ernie_triton.build.tensorrt.api import TensorRt
from ernie_triton.build.tensorrt.compile_check import compile_for, compiled_layers, targets
from ernie_triton.build.tensorrt.profiles import EngineShapes
from ernie_triton.build.tensorrt.random_graph import random_graph
from ernie_triton.cli import main
from ernie_triton.errors import PlanError
from ernie_triton.model_shapes import FAMILY
from tests.build.tensorrt.conftest import SMALL, WriteGraph

LAYOUTS = ("packed", "padded")


def load(layout: str) -> EngineShapes:
    return EngineShapes(layout=layout, max_rows=64, max_length=128, usual_rows=16, usual_tokens=32)


@pytest.mark.parametrize(
    ("shape", "precision", "layout", "targets"),
    [
        *itertools.product(("nano",), ("fp16", "int8"), LAYOUTS, [("sm75", "sm86")]),
        # Wider layers of the same kinds, which take the longer.
        ("medium", "int8", "packed", ("sm75",)),
    ],
)
def test_the_familys_layers_compile_for_a_t4_and_an_a10(
    compiler: TensorRt,
    tmp_path: Path,
    shape: str,
    precision: str,
    layout: str,
    targets: tuple[str, ...],
) -> None:
    path = tmp_path / "model.onnx"
    two_layers = dataclasses.replace(FAMILY[shape], layers=2)
    onnx.save(random_graph(two_layers, precision, layout, max_length=128), path)
    for target in targets:
        report = compile_for(compiler, path, shape, target, load(layout))
        assert report.refused == ()
        assert report.layers is not None
        assert (report.layers.host_copies, report.layers.stations) == (0, 0)
        # A product of FP32 would be one that the graph forgot; all that are INT8 stay INT8.
        assert set(report.layers.products) == {precision}
        assert set(report.layers.products) | set(report.layers.others) <= {"int8", "fp16", "fp32"}
        weights = sum(item.ByteSize() for item in onnx.load(path).graph.initializer)
        assert weights * 0.9 < report.plan_bytes < weights * 2
        # At least the widest of the feed-forward's vectors for every token, in FP16.
        widest = 64 * 128 * FAMILY[shape].feed_forward * 2
        assert report.activation_bytes > widest
        # Nowhere near what rows as long as all tokens together would take.
        assert report.activation_bytes < 10 * widest


HEADS: dict[str, Head] = {
    "token": TokenHead(output=Linear(weight=np.ones((64, 7), np.float32), bias=np.ones(7, "f4"))),
    "span": SpanHead(output=Linear(weight=np.ones((64, 2), np.float32), bias=np.ones(2, "f4"))),
    "mean": VectorHead(pooling="mean", pooler=None, pooler_activation="tanh"),
    "cls": VectorHead(pooling="cls", pooler=None, pooler_activation="tanh"),
}


@pytest.mark.parametrize(("head", "layout"), list(itertools.product(HEADS, LAYOUTS)))
def test_the_graphs_of_every_head_compile_for_a_t4(
    compiler: TensorRt, tmp_path: Path, head: str, layout: str
) -> None:
    model = dataclasses.replace(random_graphs.random_encoder(SMALL), head=HEADS[head])
    path = tmp_path / "model.onnx"
    onnx.save(export_onnx(model, layout, Numerics(compute="fp16")), path)
    report = compile_for(compiler, path, head, "sm75", load(layout))
    assert report.refused == ()
    assert report.layers is not None
    assert report.layers.count > 0


def write_unsupported(path: Path) -> Path:
    """A graph with an operator that is nobody's, between two that are everybody's."""
    nodes = [
        helper.make_node("Identity", ["input_ids"], ["same"], name="first"),
        helper.make_node("Frobnicate", ["same"], ["turned"], name="layer_0/odd", domain="nobody"),
        helper.make_node("Identity", ["turned"], ["logits"], name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("input_ids", TensorProto.FLOAT, ["tokens"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["tokens"])],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("nobody", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def test_unsupported_nodes_are_listed_by_name(compiler: TensorRt, tmp_path: Path) -> None:
    path = write_unsupported(tmp_path / "odd.onnx")
    report = compile_for(compiler, path, "odd", "sm75", load("packed"))
    assert [(node.name, node.operator) for node in report.refused] == [
        ("layer_0/odd", "Frobnicate")
    ]
    assert report.layers is None
    assert report.lines()[0] == "odd for sm75: 1 nodes are unsupported"
    assert "layer_0/odd (Frobnicate)" in report.lines()[1]


def test_fp32_products_are_refused_for_a_t4_with_the_compilers_reason(
    compiler: TensorRt, small_graph: WriteGraph
) -> None:
    with pytest.raises(PlanError, match=r"cannot compile .*FP32 GEMM is not supported"):
        compile_for(compiler, small_graph("fp32", "packed"), "small", "sm75", load("packed"))


def test_the_targets_are_those_of_the_package(compiler: TensorRt) -> None:
    assert {"sm75", "sm80", "sm86", "sm89"} <= set(targets(compiler))
    assert "sm70" not in targets(compiler)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "sm70",
            r"not compile for sm70 \(V100\), only for sm75, .*image 24\.09, run: ernie-triton",
        ),
        ("sm90", r"not compile for sm90 \(H100\), .* check the nearest of these"),
        ("t4", "not compile for 't4', only for sm75"),
    ],
)
def test_a_gpu_that_it_has_not_is_told_with_what_to_do(
    compiler: TensorRt, small_graph: WriteGraph, target: str, message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        compile_for(compiler, small_graph("fp16", "packed"), "small", target, load("packed"))


def test_the_command_compiles_a_file(
    small_graph: WriteGraph, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small_graph("int8", "padded")
    assert main(["check-engine", str(path), "--target", "sm89", "--max-length", "64"]) == 0
    output, errors = capsys.readouterr()
    assert output.startswith("int8_padded.onnx for sm89: compiled in ")
    assert "no unsupported nodes\n" in output
    assert "matrix multiplications" in output
    assert errors == "compiling int8_padded.onnx for sm89 …\n"


def test_the_command_ends_with_1_where_a_node_is_unsupported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_unsupported(tmp_path / "odd.onnx")
    assert main(["check-engine", str(path)]) == 1
    assert "unsupported: layer_0/odd (Frobnicate)" in capsys.readouterr().out


def test_the_command_refuses_an_unknown_gpu_before_it_makes_a_graph(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check-engine", "--shape", "medium", "--target", "sm70"]) == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["x.onnx", "--shape", "nano"]])
def test_the_command_wants_one_graph(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-engine", *options]) == 2
    assert capsys.readouterr().err == "error: give a MODEL.onnx, a --repository or a --shape\n"


@pytest.mark.parametrize("content", [b"", b"no graph"])
def test_a_file_that_is_no_graph_is_one_line(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert main(["check-engine", str(path)]) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1


DESCRIPTION = """Layers:
Name: Memcpy, LayerType: TrainStation, Inputs: [ { Name: a, Datatype: Half}], Constants: []
Name: longest[DevicetoShapeHostCopy], LayerType: DeviceToShapeHost, Inputs: [ { Name: b, \
Datatype: Int32 }], Constants: []
Name: ids, LayerType: kgen, Inputs: [ { Name: input_ids, Dimensions: [-1], Datatype: Int32, \
Format: x }], Constants: [], Outputs: [ { Name: b, Datatype: Half }]
Name: layer_0/query+layer_0/key, LayerType: gemm, Inputs: [ { Name: b, Dimensions: [-1,64], \
Datatype: Int8 }], Constants: [ { Name: w, Datatype: Int8 }], Outputs: [ { Datatype: Half }]
Name: layer_0/output, LayerType: gemm, Inputs: [ { Name: c, Datatype: Half }, { Name: d, \
Datatype: Int8 }], Constants: []
Name: _gemm_mha_v2_myl0_8, LayerType: kgen, Inputs: [ { Name: e, Datatype: Half }], Constants: []
Name: norm, LayerType: kgen, Inputs: [ { Name: f, Datatype: Float }], Constants: []
Name: shapes, LayerType: kgen, Inputs: [], Constants: []
Name: x, LayerType: signal, Inputs: [], Constants: []

I/O Tensors:
 Name: input_ids, IOMode: Input, DataType: Int32, Dimensions: [-1]
"""


def test_layers_are_counted_by_the_type_of_what_they_read() -> None:
    layers = compiled_layers(DESCRIPTION)
    assert layers.products == {"int8": 1, "fp16": 1}
    assert layers.others == {"fp16": 1, "fp32": 1}
    assert (layers.host_copies, layers.stations) == (1, 1)
    assert layers.index_layers == 3
    assert layers.count == 7


def test_no_description_has_no_layers() -> None:
    assert compiled_layers("").count == 0
