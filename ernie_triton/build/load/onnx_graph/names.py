"""The inputs of a graph under our names, whatever its exporter called them."""

import onnx

from ernie_triton.build.load.onnx_graph.dataflow import Dataflow
from ernie_triton.build.load.onnx_graph.inputs import find_token_inputs, is_position
from ernie_triton.errors import UnrecognisedGraphError


def with_our_input_names(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph with the inputs `input_ids`, `token_type_ids`, `attention_mask`, ….

    Token ids and types are told by the tables that they index; the mask is the one input left.
    What cannot be told keeps its name.
    """
    names = _new_names(graph)
    taken = {item.name for item in graph.graph.input} - set(names)
    names = {old: new for old, new in names.items() if old != new and new not in taken}
    if not names:
        return graph
    changed = onnx.ModelProto()
    changed.CopyFrom(graph)
    for item in changed.graph.input:
        item.name = names.get(item.name, item.name)
    for node in changed.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)
    return changed


def fixed_length(graph: onnx.ModelProto) -> int:
    """Return the tokens of a row where a graph takes no other number; 0 where it takes any."""
    constants = {item.name for item in graph.graph.initializer}
    shapes = [i.type.tensor_type.shape.dim for i in graph.graph.input if i.name not in constants]
    return max((dims[1].dim_value for dims in shapes if len(dims) == 2), default=0)


def _new_names(graph: onnx.ModelProto) -> dict[str, str]:
    try:
        flow = Dataflow(graph)
        ids, token_types = find_token_inputs(flow)
    except UnrecognisedGraphError:
        return {}
    names = {ids: "input_ids"}
    if token_types is not None:
        names[token_types] = "token_type_ids"
    left = [item for item in flow.inputs if item.name not in names]
    masks = [item for item in left if not is_position(item.name)]
    names |= {item.name: "position_ids" for item in left if is_position(item.name)}
    if len(masks) == 1:
        names[masks[0].name] = "attention_mask"
    return names
