"""The heads of the canonical graph: outputs from the encoder's last hidden state."""

from dataclasses import dataclass

from onnx import TensorProto

from ernie_triton.build.graph.builder import GraphBuilder
from ernie_triton.build.model.heads import Head, SequenceHead, SpanHead, TokenHead, VectorHead
from ernie_triton.build.model.models import Model

_FLOAT, _INT32 = TensorProto.FLOAT, TensorProto.INT32


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Names of the tensors that map tokens to texts and to the attention's rectangle.

    The last four are None in the padded layout, whose tokens are in the rectangle already.

    Attributes:
        position: position of each token in its text.
        mask: float32 [items, 1, 1, longest], added to attention scores.
        item: index of each token's text.
        pad: index of the token in each cell of the rectangle.
        unpad: index of the cell of each token.
        starts: index of each text's first token.
    """

    position: str
    mask: str
    item: str | None
    pad: str | None
    unpad: str | None
    starts: str | None


def needs_first_token_only(head: Head) -> bool:
    """Return whether the head reads only the first token of each text."""
    return isinstance(head, SequenceHead) or (
        isinstance(head, VectorHead) and head.pooling != "mean"
    )


def write_head(graph: GraphBuilder, model: Model, place: Place, hidden: str) -> None:
    """Write the head and declare the graph's outputs.

    Matrix products have the compute type, as elsewhere: TensorRT for RTX has no float32 products
    for Turing GPUs. Outputs are float32.

    Args:
        graph: the graph so far.
        model: the model whose head is written.
        place: the token maps.
        hidden: the last hidden state; of first tokens only where the head needs no more.
    """
    head, encoder = model.head, model.encoder
    tokens = ("tokens",) if place.pad is not None else ("items", "length")
    if isinstance(head, SequenceHead):
        write_sequence_head(graph, head, hidden)
    elif isinstance(head, TokenHead):
        graph.scores("logits", head.output, hidden)
        graph.output("logits", *tokens, head.output.outputs)
    elif isinstance(head, SpanHead):
        both = graph.scores("span", head.output, hidden)
        for column, name in enumerate(("start_logits", "end_logits")):
            graph.add("Gather", name, both, graph.int64(column), axis=-1)
            graph.output(name, *tokens)
    else:
        _write_vector(graph, head, place, hidden, encoder.pad_token_id)
        graph.output("vector", "items", encoder.hidden)


def write_sequence_head(graph: GraphBuilder, head: SequenceHead, features: str) -> None:
    """Write the scores of each text from its features, [items, features], as output `logits`."""
    if head.pooler is not None:
        pooled = graph.linear("pooler", head.pooler, features)
        features = graph.activation("pooler/activation", head.pooler_activation, pooled)
    graph.scores("logits", head.output, features)
    graph.output("logits", "items", head.output.outputs)


def _write_vector(
    graph: GraphBuilder, head: VectorHead, place: Place, hidden: str, pad_token_id: int
) -> None:
    if head.pooling == "mean":
        if place.item is None:
            mean = graph.add("MatMul", "mean", _padded_shares(graph), hidden)
            graph.result("Squeeze", "vector", mean, graph.integers(1))
        else:
            shares = _packed_shares(graph, place.item, pad_token_id)
            graph.result("MatMul", "vector", shares, hidden)
    elif head.pooling == "pooler" and head.pooler is not None:
        pooled = graph.linear("pooler", head.pooler, hidden)
        graph.activation("vector", head.pooler_activation, graph.widened(pooled))
    else:
        graph.add("Identity", "vector", graph.widened(hidden))


def _packed_shares(graph: GraphBuilder, item: str, pad_token_id: int) -> str:
    """Write each token's weight in the mean of its text, [items, tokens]; 0 for other texts.

    Padding gets 0 too: `lengths` counts it where the server's ragged batching made the batch, as
    all rows of a request then have one length.
    """
    count = graph.add("Cast", "share/items", graph.add("Size", "share/size", "lengths"), to=_INT32)
    rows = graph.add("Range", "share/rows", graph.int32(0), count, graph.int32(1))
    rows = graph.add("Unsqueeze", "share/rows_column", rows, graph.integers(1))
    is_pad = graph.add("Equal", "share/is_pad", "input_ids", graph.int32(pad_token_id))
    real = graph.add("Not", "share/real", is_pad)
    is_own = graph.add("And", "share/counts", graph.add("Equal", "share/is_own", item, rows), real)
    return _shares(graph, "share", is_own)


def _padded_shares(graph: GraphBuilder) -> str:
    """Write each token's weight in the mean of its text, [items, 1, length]; 0 for padding."""
    return graph.add(
        "Unsqueeze", "share", _shares(graph, "share/rows", "mask/real"), graph.integers(1)
    )


def _shares(graph: GraphBuilder, name: str, counts: str) -> str:
    own = graph.add("Cast", "share/own", counts, to=_FLOAT)
    lengths = graph.add("ReduceSum", "share/lengths", own, graph.integers(1), keepdims=1)
    return graph.narrowed("Div", name, own, lengths)
