"""FP16 and INT8 graphs give close outputs, and every number format is explicit."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import openvino
import pytest
from onnx import TensorProto, numpy_helper

from ernie_triton.batch import TokenBatch
from ernie_triton.build.graph.export import export_onnx, quantizable_linears
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.load.state import model_from_state
from ernie_triton.build.load.weights import TRANSFORMERS
from ernie_triton.build.model.models import Model
from ernie_triton.engines.onnx_runtime import exact_options
from ernie_triton.errors import PrecisionError
from ernie_triton.tasks import LAYOUTS
from tests.build.graph.test_heads import HEADS
from tests.build.load.exports import transformers_model
from tests.build.models import arrays_of, checkpoint_config, random_rows
from tests.paths import SAMPLES

CHECKPOINT_FOLDER = SAMPLES / "checkpoints"
CHECKPOINTS = {
    "tnews": ("sequence", "cls"),
    "afqmc": ("sequence", "cls"),
    "msra_ner": ("token", "cls"),
    "cmrc2018": ("span", "cls"),
    "sentence_pairs": ("vector", "mean"),
    "multi_label": ("sequence", "cls"),
    "similarity": ("sequence", "cls"),
}
"""Each sample checkpoint with its head and pooling."""

KINDS = [(head, pooling) for _, head, pooling in HEADS]
FP16 = Numerics(compute="fp16")
LENGTHS = (7, 2, 30, 2, 13, 31)

Values = dict[str, npt.NDArray[Any]]


def model_of(head: str = "sequence", pooling: str = "cls", **settings: Any) -> Model:
    source = transformers_model("ernie", head=head, **settings)
    wanted = WantedHead(head=head, pooling=pooling or "cls")
    return model_from_state(
        arrays_of(source), TRANSFORMERS, checkpoint_config(source), "here", wanted
    )


def inputs(batch: TokenBatch, layout: str, pad: int = 0) -> Values:
    return dict(batch.packed()) if layout == "packed" else dict(batch.padded(pad, 32))


def run(graph: onnx.ModelProto, feed: Values, *watched: str) -> Values:
    """Run a graph in ONNX Runtime; return the outputs and other tensors by name."""
    types = {item.name: item for item in onnx.shape_inference.infer_shapes(graph).graph.value_info}
    known = onnx.ModelProto()
    known.CopyFrom(graph)
    known.graph.output.extend(types[name] for name in watched)
    session = onnxruntime.InferenceSession(
        known.SerializeToString(), exact_options(), providers=["CPUExecutionProvider"]
    )
    names = [item.name for item in session.get_outputs()]
    found = session.run(names, {item.name: feed[item.name] for item in session.get_inputs()})
    return dict(zip(names, found, strict=True))


def scales_of(model: Model, batch: TokenBatch) -> dict[str, float]:
    linears = quantizable_linears(model, "packed")
    seen = run(export_onnx(model, "packed"), batch.packed(), *dict.fromkeys(linears.values()))
    return {name: float(np.abs(seen[x]).max()) / 127 for name, x in linears.items()}


def largest_difference(found: Values, expected: Values) -> float:
    return max(float(np.abs(found[name] - expected[name]).max()) for name in expected)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_fp16_logits_of_the_sample_checkpoints_are_the_fp32_ones(name: str) -> None:
    head, pooling = CHECKPOINTS[name]
    model = read_source(CHECKPOINT_FOLDER / name, WantedHead(head=head, pooling=pooling)).model
    assert isinstance(model, Model)
    random = np.random.default_rng(1)
    lengths = random.integers(4, 100, 12).astype(np.int32)
    ids = random.integers(5, model.encoder.vocabulary_size, lengths.sum(), dtype=np.int32)
    batch = TokenBatch(input_ids=ids, token_type_ids=np.zeros_like(ids), lengths=lengths)
    expected = run(export_onnx(model, "packed"), batch.packed())
    found = run(export_onnx(model, "packed", FP16), batch.packed())
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    assert 0 < largest_difference(found, expected) < 2e-2


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compute", ["fp32", "fp16"])
@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize(("head", "pooling"), KINDS)
def test_every_head_runs_in_every_form(
    head: str, pooling: str, int8: bool, compute: str, layout: str
) -> None:
    model, batch = model_of(head, pooling), random_rows(LENGTHS, types=4)
    scales = scales_of(model, batch) if int8 else {}
    graph = export_onnx(model, layout, Numerics(compute=compute, input_scales=scales))
    onnx.checker.check_model(graph, full_check=True)
    feed = inputs(batch, layout, model.encoder.pad_token_id)
    expected, found = run(export_onnx(model, layout), feed), run(graph, feed)
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    sizes = max(np.abs(values).max() for values in expected.values())
    assert largest_difference(found, expected) <= (0.06 if int8 else 5e-3) * max(sizes, 1.0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize(("head", "pooling"), KINDS)
def test_no_operator_of_an_fp16_graph_mixes_float_types(
    head: str, pooling: str, int8: bool, layout: str
) -> None:
    model = model_of(head, pooling)
    scales = dict.fromkeys(quantizable_linears(model, layout), 0.02) if int8 else {}
    graph = export_onnx(model, layout, Numerics(compute="fp16", input_scales=scales))
    inferred = onnx.shape_inference.infer_shapes(graph, strict_mode=True, check_type=True).graph
    held = (*inferred.value_info, *inferred.input, *inferred.output)
    types = {item.name: item.type.tensor_type.elem_type for item in held}
    types |= {item.name: item.data_type for item in inferred.initializer}
    floats = {TensorProto.FLOAT, TensorProto.FLOAT16}
    for node in inferred.node:
        assert len({types[name] for name in node.input} & floats) <= 1, node.name
        if node.op_type in ("LayerNormalization", "Softmax"):
            assert types[node.output[0]] == TensorProto.FLOAT
        if node.op_type == "MatMul":
            assert types[node.output[0]] == TensorProto.FLOAT16
    assert types["mask"] == TensorProto.FLOAT
    assert types["embeddings/word/weight"] == TensorProto.FLOAT16
    assert {item.type.tensor_type.elem_type for item in inferred.output} == {TensorProto.FLOAT}
    assert {item.type.tensor_type.elem_type for item in inferred.input} == {TensorProto.INT32}


def by_hand(x: npt.NDArray[Any], weight: npt.NDArray[Any], scale: float) -> npt.NDArray[Any]:
    """A quantised product in integers."""
    steps = np.clip(np.rint(x / np.float32(scale)), -128, 127).astype(np.int64)
    columns = np.abs(weight).max(axis=0) / 127
    weights = np.rint(weight / columns).astype(np.int64)
    result: npt.NDArray[Any] = (steps @ weights) * np.float64(scale) * columns
    return result


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_quantised_layer_is_an_integer_product_with_a_scale_for_each_column(layout: str) -> None:
    model, batch = model_of(), random_rows(LENGTHS, types=4)
    layer = model.encoder.layers[0]
    cases = {"attention/value": layer.value, "intermediate": layer.intermediate}
    scales = {f"layer_0/{name}": 0.017 for name in cases}
    graph = export_onnx(model, layout, Numerics(input_scales=scales))
    linears = quantizable_linears(model, layout)
    names = [name for case in scales for name in (linears[case], f"{case}/product")]
    found = run(graph, inputs(batch, layout, model.encoder.pad_token_id), *names)
    for name, linear in cases.items():
        case = f"layer_0/{name}"
        expected = by_hand(found[linears[case]], linear.weight, 0.017)
        np.testing.assert_allclose(found[f"{case}/product"], expected, rtol=1e-4, atol=1e-5)


def test_only_the_layers_named_are_int8_and_equal_scales_share_the_rounding() -> None:
    model = model_of()
    names = [f"layer_0/attention/{part}" for part in ("query", "key", "value")]
    for scales, pairs in (([0.1, 0.1, 0.1], 1), ([0.1, 0.2, 0.1], 2), ([0.1, 0.2, 0.3], 3)):
        numerics = Numerics(input_scales=dict(zip(names, scales, strict=True)))
        graph = export_onnx(model, "packed", numerics).graph
        counted = Counter(node.op_type for node in graph.node)
        assert counted["QuantizeLinear"] == pairs
        assert counted["DequantizeLinear"] == pairs + 3
        weights = {i.name: i for i in graph.initializer if i.data_type == TensorProto.INT8}
        zeros = [name for name in weights if name == "int8_0" or name.endswith("/zeros")]
        assert not any(numpy_helper.to_array(weights.pop(name)).any() for name in zeros)
        assert sorted(weights) == sorted(f"{name}/weight/int8" for name in names)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("head", "pooling"), KINDS)
def test_quantisable_layers_are_the_encoder_s_with_the_tensors_that_they_read(
    head: str, pooling: str, layout: str
) -> None:
    model = model_of(head, pooling)
    linears = quantizable_linears(model, layout)
    parts = ["attention/query", "attention/key", "attention/value"]
    parts += ["attention/output", "intermediate", "output"]
    layers = range(len(model.encoder.layers))
    assert set(linears) == {f"layer_{index}/{part}" for index in layers for part in parts}
    nodes = {node.name: node for node in export_onnx(model, layout).graph.node}
    assert list(linears) == [name for name in nodes if name in linears]
    for name, x in linears.items():
        assert nodes[f"{name}/product"].input[0] == x
        assert nodes[name].input[0] == f"{name}/product"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_without_numerics_the_graph_is_the_fp32_one(layout: str) -> None:
    model = model_of()
    plain = export_onnx(model, layout)
    assert plain == export_onnx(model, layout, Numerics())
    assert not {node.op_type for node in plain.graph.node} & {"QuantizeLinear", "DequantizeLinear"}
    kinds = {item.name: item.data_type for item in plain.graph.initializer}
    assert {kind for name, kind in kinds.items() if name.endswith(("weight", "bias"))} == {
        TensorProto.FLOAT
    }
    # Besides weights there are places of tokens, and shapes.
    assert set(kinds.values()) == {TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64}


@pytest.mark.parametrize("name", ["pooler", "layer_2/output", "layer_0/attention"])
def test_a_scale_for_a_layer_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"no quantisable linear layer '{name}'"):
        export_onnx(model_of(), "packed", Numerics(input_scales={name: 0.1}))


def test_a_weight_that_fp16_cannot_hold_is_refused_by_name() -> None:
    model = model_of()
    model.encoder.layers[1].intermediate.weight.setflags(write=True)
    model.encoder.layers[1].intermediate.weight[3, 2] = -70000.0
    with pytest.raises(PrecisionError, match="layer_1/intermediate/weight holds 70000"):
        export_onnx(model, "packed", FP16)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_openvino_runs_every_quantised_layer_in_int8(layout: str) -> None:
    model = model_of()
    scales = dict.fromkeys(quantizable_linears(model, layout), 0.02)
    graph = export_onnx(model, layout, Numerics(input_scales=scales))
    core = openvino.Core()
    read = core.read_model(graph.SerializeToString())
    compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    kinds = Counter(
        (info["layerType"].astype(str), info["runtimePrecision"].astype(str))
        for info in (item.get_rt_info() for item in compiled.get_runtime_model().get_ops())
    )
    assert kinds["FullyConnected", "i8"] == len(scales)
