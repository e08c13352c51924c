"""Graphs that others quantised are refused where their answers would depend on where they run."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from ernie_triton.build.convert.quantized_graph import check_quantized_graph
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import INT8_STEPS, Numerics
from ernie_triton.errors import UnrecognisedGraphError
from tests.engines.tiny_model import random_model

SCALES = {"layer_0/intermediate": 0.1}


def test_a_graph_in_floating_point_and_one_with_weights_of_7_bits_pass() -> None:
    check_quantized_graph(export_onnx(random_model(), "padded"))
    numerics = Numerics(input_scales=SCALES, weight_steps=64)
    check_quantized_graph(export_onnx(random_model(), "padded", numerics))


def test_weights_of_8_bits_are_refused_by_name_with_the_mend() -> None:
    graph = export_onnx(random_model(), "padded", Numerics(input_scales=SCALES))
    told = (
        f"the graph's INT8 weights layer_0/intermediate/weight/int8 reach {INT8_STEPS}, and "
        "processors without VNNI multiply bytes exactly up to 64; export it in FP32 and build with "
        "--precision int8, or quantise it with weights of 7 bits"
    )
    with pytest.raises(UnrecognisedGraphError) as caught:
        check_quantized_graph(graph)
    assert str(caught.value) == told


def test_a_dynamically_quantised_graph_is_refused(tmp_path: Path) -> None:
    plain, rounded = tmp_path / "model.onnx", tmp_path / "model_quantized.onnx"
    onnx.save(export_onnx(random_model(), "padded"), plain)
    quantize_dynamic(plain, rounded, weight_type=QuantType.QInt8)
    with pytest.raises(UnrecognisedGraphError, match=r"is quantised dynamically .* in FP32 and"):
        check_quantized_graph(onnx.load(rounded))


@pytest.mark.parametrize("order", [("Gather", "DequantizeLinear"), ("DequantizeLinear", "Gather")])
def test_a_table_of_8_bits_is_no_product(order: tuple[str, str]) -> None:
    table = numpy_helper.from_array(np.full((5, 4), 127, np.int8), "table")
    scale = numpy_helper.from_array(np.array(0.1, np.float32), "scale")
    names = ["table", "middle", "out"]
    nodes = [
        helper.make_node(
            kind, [names[place], "ids" if kind == "Gather" else "scale"], [names[place + 1]]
        )
        for place, kind in enumerate(order)
    ]
    graph = helper.make_graph(
        nodes,
        "rows",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 4])],
        [table, scale],
    )
    check_quantized_graph(helper.make_model(graph))
