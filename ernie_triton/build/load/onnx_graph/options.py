"""Graphs of multiple choice, whose inputs are [texts, options, tokens], as graphs of single rows.

The graph flattens its inputs first, and gives its scores the form [texts, options] last. Without
both it takes rows [rows, tokens] and gives one score of each, whatever the number of options.
"""

from collections.abc import Collection, Mapping
from typing import Any

import onnx
from onnx import TensorProto, helper

_AROUND_SCORES = {
    *("Identity", "Cast", "Softmax", "LogSoftmax", "ArgMax"),
    *("Reshape", "Squeeze", "Unsqueeze", "Flatten"),
}
_SUFFIX = "/options"


def takes_options(graph: onnx.ModelProto) -> bool:
    """Return whether the inputs of a graph have a dimension of options."""
    shapes = [_dims(item) for item in _inputs(graph)]
    return bool(shapes) and all(len(shape) == 3 for shape in shapes)


def without_options(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph that takes rows of tokens and gives one score of each, [rows, 1].

    A graph of another kind is returned as it is.
    """
    if not takes_options(graph):
        return graph
    changed = onnx.ModelProto()
    changed.CopyFrom(graph)
    names = [item.name for item in _inputs(changed)]
    before = [_with_options(name) for name in names]
    axes = helper.make_tensor("first_axis/options", TensorProto.INT64, [1], [0])
    changed.graph.initializer.append(axes)
    casts = {item.output[0]: item for item in graph.graph.node if item.op_type == "Cast"}
    nodes = [_as_row(node, casts, names) for node in changed.graph.node]
    del changed.graph.node[:]
    changed.graph.node.extend([*before, *nodes])
    for item in _inputs(changed):
        dims = _dims(item)
        rows = int(dims[0]) * int(dims[1]) or "rows"
        kind, tokens = item.type.tensor_type.elem_type, dims[2] or "tokens"
        item.CopyFrom(helper.make_tensor_value_info(item.name, kind, [rows, tokens]))
    del changed.graph.value_info[:]
    _take_scores(changed)
    return changed


def _inputs(graph: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    constants = {item.name for item in graph.graph.initializer}
    return [item for item in graph.graph.input if item.name not in constants]


def _dims(item: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in item.type.tensor_type.shape.dim]


def _with_options(name: str) -> onnx.NodeProto:
    """All rows as the options of one text, for whatever reads the shape of the old input."""
    inputs = [name, "first_axis/options"]
    return helper.make_node("Unsqueeze", inputs, [f"{name}{_SUFFIX}"], name=f"{name}{_SUFFIX}")


def _as_row(
    node: onnx.NodeProto, casts: Mapping[str, onnx.NodeProto], names: Collection[str]
) -> onnx.NodeProto:
    """The node after the change: flattening an input, cast or not, is passing on its rows."""
    if node.op_type == "Reshape":
        source, kind = node.input[0], "Identity"
        attributes: dict[str, Any] = {}
        while source in casts:
            kind = "Cast"
            attributes = attributes or {"to": casts[source].attribute[0].i}
            source = casts[source].input[0]
        if source in names:
            return helper.make_node(kind, [source], node.output, name=node.name, **attributes)
    for place, name in enumerate(node.input):
        if name in names:
            node.input[place] = f"{name}{_SUFFIX}"
    return node


def _take_scores(graph: onnx.ModelProto) -> None:
    """Put the scores before their last form, [rows, 1], in the place of the outputs."""
    producers = {name: node for node in graph.graph.node for name in node.output}
    found: dict[str, None] = {}
    for output in graph.graph.output:
        name = output.name
        while name in producers and producers[name].op_type in _AROUND_SCORES:
            name = producers[name].input[0]
        found[name] = None
    kept: list[onnx.NodeProto] = []
    needed = set(found)
    for node in reversed(graph.graph.node):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            kept.insert(0, node)
    del graph.graph.node[:]
    graph.graph.node.extend(kept)
    del graph.graph.output[:]
    graph.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in found
    )
