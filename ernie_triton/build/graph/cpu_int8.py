"""What INT8 graphs become for CPU runtimes: the same numbers in the form that they run fastest.

The canonical QDQ graph is what TensorRT wants. OpenVINO 2026.4 runs it as fast as one quantised by
NNCF, and a tenth faster where it can round in passing; ONNX Runtime 1.31 needs two changes to run
its linear layers in int8 on x86-64; both are spared three quarters of the word embedding table.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ernie_triton.build.graph.numerics import int8_weight

WORD_TABLE = "embeddings/word"
"""The look-up whose table is most of a small model's weights, by the name of its node."""

_UNSIGNED_ZERO = 128
_MOVES = ("Gather", "Reshape", "Transpose")
"""Operators that put the numbers of their first input elsewhere and compute nothing."""


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
    producers = _producers(changed.graph.node)
    for node in changed.graph.node:
        if node.op_type == "QuantizeLinear":
            zero = arrays[node.input[2]]
            zero.CopyFrom(numpy_helper.from_array(np.array(_UNSIGNED_ZERO, np.uint8), zero.name))
        if node.op_type == "Add" and _is_quantized_product(node.input[0], producers):
            bias = arrays[node.input[1]]
            node.op_type = "Sub"
            bias.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(bias), bias.name))
    return changed


def for_openvino(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The QDQ graph with roundings that OpenVINO does in passing.

    OpenVINO makes a rounding part of the operation before it, where that computes something that
    nobody else reads; by themselves, the roundings take a tenth of a run. So they go in front of
    what only moves numbers, which then moves a quarter of the bytes; and what others read too gets
    a lower bound of its own that no int8 reaches, for the rounding to be part of.
    """
    changed = _copied(graph)
    nodes = list(changed.graph.node)
    for node in nodes:
        if node.op_type == "DequantizeLinear" and node.name.endswith("/weight"):
            del node.input[2:]  # zeros, which say nothing, and would be computed
    arrays = {item.name: item for item in changed.graph.initializer}
    for rounding in [node for node in nodes if node.op_type == "QuantizeLinear"]:
        _round_before_moving(rounding, nodes)
        if len(_readers(nodes)[rounding.input[0]]) > 1:
            step = numpy_helper.to_array(arrays[rounding.input[1]])
            changed.graph.initializer.append(_bound_before(rounding, nodes, step))
    del changed.graph.node[:]
    changed.graph.node.extend(nodes)
    return changed


def _round_before_moving(rounding: onnx.NodeProto, nodes: list[onnx.NodeProto]) -> None:
    """Put a rounding as far up as nobody else reads what is moved on the way."""
    producers = _producers(nodes)
    readers = _readers(nodes)
    moves: list[onnx.NodeProto] = []
    source = rounding.input[0]
    while len(readers[source]) == 1:
        producer = producers[source]
        if producer.op_type not in _MOVES or producer.input[0] not in producers:
            break
        moves.append(producer)
        source = producer.input[0]
    if not moves:
        return
    first, last = moves[-1], moves[0]
    nodes.remove(rounding)
    nodes.insert(nodes.index(first), rounding)
    for reader in readers[rounding.output[0]]:
        reader.input[0] = last.output[0]
    first.input[0] = rounding.output[0]
    rounding.input[0] = source


def _bound_before(
    rounding: onnx.NodeProto, nodes: list[onnx.NodeProto], step: npt.NDArray[np.float32]
) -> onnx.TensorProto:
    """Put a bound of twice the lowest int8 between a rounding and what it reads; returns it."""
    source = rounding.input[0]
    bound = numpy_helper.from_array(
        (2 * np.iinfo(np.int8).min * step).astype(np.float32), f"{rounding.name}/bound"
    )
    bounded = f"{rounding.name}/bounded"
    above = helper.make_node("Max", [source, bound.name], [bounded], name=bounded)
    nodes.insert(nodes.index(rounding), above)
    rounding.input[0] = bounded
    return bound


def _producers(nodes: Iterable[onnx.NodeProto]) -> dict[str, onnx.NodeProto]:
    """The node that makes each tensor."""
    return {output: node for node in nodes for output in node.output}


def _readers(nodes: list[onnx.NodeProto]) -> dict[str, list[onnx.NodeProto]]:
    """The nodes that read each tensor."""
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in nodes:
        for name in node.input:
            readers[name].append(node)
    return readers


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
