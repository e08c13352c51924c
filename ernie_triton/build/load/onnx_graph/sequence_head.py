"""The head of a graph that scores whole texts."""

from ernie_triton.build.load.onnx_graph.activation_reading import read_activation
from ernie_triton.build.load.onnx_graph.hidden_state import FoundHead
from ernie_triton.build.load.onnx_graph.linear import read_linear
from ernie_triton.build.load.onnx_graph.norm import find_norm
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.load.onnx_graph.selection import (
    first_token_source,
    is_selection,
    selected_from,
)
from ernie_triton.build.model.heads import SequenceHead
from ernie_triton.errors import UnrecognisedGraphError


def read_sequence_head(reading: Reading) -> FoundHead:
    """The classifier of whole texts.

    Raises:
        UnrecognisedGraphError: the outputs are not the logits of such a classifier alone.
    """
    if len(reading.flow.outputs) != 1:
        raise UnrecognisedGraphError(
            f"the graph has {len(reading.flow.outputs)} outputs "
            f"({', '.join(reading.flow.outputs)}); expected one, the logits"
        )
    output = read_linear(reading, reading.flow.outputs[0])
    hidden = first_token_source(reading, output.source)
    if hidden is not None:
        head = SequenceHead(pooler=None, pooler_activation="identity", output=output.linear)
        return FoundHead(head=head, hidden=hidden)
    if find_norm(reading, output.source) is not None:
        raise UnrecognisedGraphError(
            f"the classifier reads all that the {reading.producer(output.source)} makes; expected "
            "the first token of each text alone"
        )
    if is_selection(reading, output.source):
        raise _not_first_token(reading, output.source)
    activation, pooled = read_activation(reading, output.source)
    pooler = read_linear(reading, pooled)
    hidden = first_token_source(reading, pooler.source)
    if hidden is None:
        raise _not_first_token(reading, pooler.source)
    head = SequenceHead(pooler=pooler.linear, pooler_activation=activation, output=output.linear)
    return FoundHead(head=head, hidden=hidden)


def _not_first_token(reading: Reading, name: str) -> UnrecognisedGraphError:
    origins = " and ".join(f"the {reading.producer(n)}" for n in selected_from(reading, name))
    return UnrecognisedGraphError(
        f"the classifier reads, by the {reading.producer(name)}, what {origins} makes; expected "
        "the first token's vector of a layer normalisation's output"
    )
