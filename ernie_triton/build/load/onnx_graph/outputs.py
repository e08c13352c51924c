"""The outputs of a graph that matter: scores before a softmax, hidden states or one vector."""

from dataclasses import dataclass

import onnx

_PASSED = {"Identity", "Cast"}
_FUNCTIONS = {"Softmax", "LogSoftmax", "Sigmoid", "ArgMax"}
_STATES = ("last_hidden_state", "token_embeddings")
SENTENCE_VECTOR = "sentence_embedding"
_LOGITS = "logits"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainScores:
    """A graph whose outputs are scores as a linear layer gives them.

    Attributes:
        graph: with those outputs.
        functions: names of the operators that were taken off, such as `Softmax`.
    """

    graph: onnx.ModelProto
    functions: frozenset[str]


def plain_scores(graph: onnx.ModelProto) -> PlainScores:
    """Return a graph without the functions behind its scores, each score once.

    A softmax, sigmoid or argmax inside would be followed by ours. Where an output is named
    `logits`, only outputs of the same scores stay beside it.
    """
    producers = {name: node for node in graph.graph.node for name in node.output}
    functions: set[str] = set()
    sources: dict[str, onnx.ValueInfoProto] = {}
    outputs = graph.graph.output
    named = [output for output in outputs if output.name == _LOGITS]
    for output in named or outputs:
        name, passed = _source(output.name, producers)
        functions |= passed
        sources.setdefault(name, output)
    if not functions and len(sources) == len(outputs):
        return PlainScores(graph=graph, functions=frozenset())
    return PlainScores(graph=_with_outputs(graph, sources), functions=frozenset(functions))


def token_outputs(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph without outputs of whole texts, where it has one of tokens beside them."""
    kept = {output.name: output for output in graph.graph.output if _rank(output) == 3}
    several = len(graph.graph.output) > 1
    return _with_outputs(graph, kept) if several and len(kept) == 1 else graph


def vector_outputs(graph: onnx.ModelProto, pooling: str) -> onnx.ModelProto:
    """Return a graph with only the outputs that decide a text's vector.

    Args:
        graph: an encoder with hidden states, vectors, or both as outputs.
        pooling: the pooling that is wanted of hidden states; empty for the graph's own.
    """
    by_name = {output.name: output for output in graph.graph.output}
    states = [name for name, output in by_name.items() if _rank(output) == 3]
    best = [name for name in _STATES if name in states] or states
    if pooling and pooling != "pooler" and best:
        kept = best[:1]
    elif SENTENCE_VECTOR in by_name:
        kept = [SENTENCE_VECTOR]
    else:
        others = [name for name in by_name if name not in states]
        kept = [*best[:1], *others]
    if len(kept) == len(by_name):
        return graph
    return _with_outputs(graph, {name: by_name[name] for name in kept})


def is_vector_alone(graph: onnx.ModelProto) -> bool:
    """Return whether a graph has one output, and that is a vector of each text."""
    return len(graph.graph.output) == 1 and _rank(graph.graph.output[0]) == 2


def _source(name: str, producers: dict[str, onnx.NodeProto]) -> tuple[str, set[str]]:
    """Follow an output back through functions of scores; casts at its end are left out too."""
    found, functions, last = name, set[str](), name
    while (node := producers.get(last)) is not None and node.op_type in _PASSED | _FUNCTIONS:
        last = node.input[0]
        if node.op_type in _FUNCTIONS:
            functions.add(node.op_type)
            found = last
    return found, functions


def _with_outputs(
    graph: onnx.ModelProto, sources: dict[str, onnx.ValueInfoProto]
) -> onnx.ModelProto:
    changed = onnx.ModelProto()
    changed.CopyFrom(graph)
    del changed.graph.output[:]
    for name, output in sources.items():
        if name == output.name:
            changed.graph.output.append(output)
        else:
            changed.graph.output.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            )
    return changed


def _rank(output: onnx.ValueInfoProto) -> int:
    return len(output.type.tensor_type.shape.dim)
