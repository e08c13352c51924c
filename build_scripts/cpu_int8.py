"""What INT8 graphs become for CPU runtimes: the same numbers in the form that they run fastest.

The canonical QDQ graph is what TensorRT wants, and OpenVINO runs it as fast as one quantised by
NNCF. ONNX Runtime 1.31 needs two changes to run its linear layers in int8 on x86-64, and both
runtimes are spared three quarters of the word embedding table.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from build_scripts.numerics import int8_weight

WORD_TABLE = "embeddings/word"
"""The look-up whose table is most of a small model's weights, by the name of its node."""

_UNSIGNED_ZERO = 128


def with_int8_table(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with its word embeddings as int8, a scale for each token, widened after look-up."""
    changed = _copied(graph)
    name = f"{WORD_TABLE}/weight"
    (tensor,) = (item for item in changed.graph.initializer if item.name == name)
    columns, scales = int8_weight(numpy_helper.to_array(tensor).astype(np.float32).T, np.float32)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(columns.T), name))
    rows = numpy_helper.from_array(scales[:, None].astype(np.float32), f"{WORD_TABLE}/scales")
    changed.graph.initializer.append(rows)
    place = next(i for i, node in enumerate(changed.graph.node) if node.name == WORD_TABLE)
    ids = changed.graph.node[place].input[1]
    steps, scale, wide = (f"{WORD_TABLE}/{part}" for part in ("int8", "scale", "steps"))
    replacement = [
        helper.make_node("Gather", [name, ids], [steps], name=steps),
        helper.make_node("Cast", [steps], [wide], name=wide, to=TensorProto.FLOAT),
        helper.make_node("Gather", [rows.name, ids], [scale], name=scale),
        helper.make_node("Mul", [wide, scale], [WORD_TABLE], name=WORD_TABLE),
    ]
    nodes = [*changed.graph.node[:place], *replacement, *changed.graph.node[place + 1 :]]
    del changed.graph.node[:]
    changed.graph.node.extend(nodes)
    return changed


def for_onnx_runtime(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The QDQ graph with unsigned activations, and biases that stay out of the matrix product.

    Activations are uint8 around 128: the same steps, but x86-64 has instructions for unsigned times
    signed alone. Biases are subtracted, negated: `x @ w + b` becomes a Gemm before ONNX Runtime
    looks for quantised products, and then stays in float.
    """
    changed = _copied(graph)
    arrays = {item.name: item for item in changed.graph.initializer}
    producers = {output: node for node in changed.graph.node for output in node.output}
    for node in changed.graph.node:
        if node.op_type == "QuantizeLinear":
            zero = arrays[node.input[2]]
            zero.CopyFrom(numpy_helper.from_array(np.array(_UNSIGNED_ZERO, np.uint8), zero.name))
        if node.op_type == "Add" and _is_quantized_product(node.input[0], producers):
            bias = arrays[node.input[1]]
            node.op_type = "Sub"
            bias.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(bias), bias.name))
    return changed


def _is_quantized_product(name: str, producers: dict[str, onnx.NodeProto]) -> bool:
    product = producers.get(name)
    if product is None or product.op_type != "MatMul":
        return False
    sources = [producers.get(source) for source in product.input]
    return all(source is not None and source.op_type == "DequantizeLinear" for source in sources)


def _copied(graph: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    return copy
