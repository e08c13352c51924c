"""Refuse graphs that were quantised elsewhere in a way that makes answers depend on where they run.

They are served as they came, so nothing of them is rounded anew; see `EXACT_INT8_STEPS`.
"""

from collections import defaultdict

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from ernie_triton.build.graph.numerics import EXACT_INT8_STEPS
from ernie_triton.errors import UnrecognisedGraphError

_MEND = "export it in FP32 and build with --precision int8"


def check_quantized_graph(graph: onnx.ModelProto) -> None:
    """Check the INT8 operators of a graph; one in floating point has none.

    Raises:
        UnrecognisedGraphError: it is quantised by the values of each batch, or its products of
            bytes are not exact on every processor.
    """
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            raise UnrecognisedGraphError(
                f"the graph is quantised dynamically ({node.op_type} {node.name}): a text's answer "
                f"would change with the texts beside it; {_MEND}"
            )
        for name in node.input:
            readers[name].append(node)
    for item in graph.graph.initializer:
        if item.data_type != TensorProto.INT8 or len(item.dims) < 2:
            continue
        largest = int(np.abs(numpy_helper.to_array(item).astype(np.int16)).max(initial=0))
        if largest > EXACT_INT8_STEPS and _is_multiplied(item.name, readers):
            raise UnrecognisedGraphError(
                f"the graph's INT8 weights {item.name} reach {largest}, and processors without "
                f"VNNI multiply bytes exactly up to {EXACT_INT8_STEPS}; {_MEND}, or quantise it "
                f"with weights of 7 bits"
            )


def _is_multiplied(name: str, readers: dict[str, list[onnx.NodeProto]]) -> bool:
    """Return True unless a tensor is only a table of which rows are taken."""
    return any(
        _is_multiplied(node.output[0], readers)
        if node.op_type == "DequantizeLinear"
        else node.op_type != "Gather"
        for node in readers[name]
    )
