"""The end of the canonical graph: what each head makes of the encoder's last hidden state."""

from dataclasses import dataclass

from onnx import TensorProto

from ernie_triton.build.graph.builder import GraphBuilder
from ernie_triton.build.model.heads import Head, SequenceHead, SpanHead, TokenHead, VectorHead
from ernie_triton.build.model.models import Model

FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where tokens stand, as names of tensors of the graph.

    Attributes:
        position: each token's place in its text.
        mask: float32 [items, 1, 1, longest], added to attention scores.
        item: each token's text; None in the padded layout, where tokens are rows of the attention's
            rectangle already, as for the three that follow.
        pad: which token fills each cell of the attention's rectangle.
        unpad: which cell each token is in.
        starts: each item's first token.
    """

    position: str
    mask: str
    item: str | None
    pad: str | None
    unpad: str | None
    starts: str | None


def needs_first_token_only(head: Head) -> bool:
    """Whether the head reads no token but the first of each text."""
    return isinstance(head, SequenceHead) or (
        isinstance(head, VectorHead) and head.pooling != "mean"
    )


def write_head(graph: GraphBuilder, model: Model, place: Place, hidden: str) -> None:
    """Write the head and declare the graph's outputs.

    Matrix multiplications are of the compute type, as elsewhere: TensorRT for RTX has none of
    float32 for Turing GPUs. Outputs are float32.

    Args:
        graph: the graph so far.
        model: what to write the head of.
        place: where tokens stand.
        hidden: the last hidden state: of first tokens alone where that is all the head needs.
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
    """Write the scores of each text from its features, [items, features], as the graph's output."""
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
    """`[items, tokens]`: each token's part in the mean of its text, 0 for those of others.

    Padding has none either: `lengths` counts it where the server's own ragged batching made the
    batch, which gives the rows of one request their common length.
    """
    count = graph.add("Cast", "share/items", graph.add("Size", "share/size", "lengths"), to=INT32)
    rows = graph.add("Range", "share/rows", graph.int32(0), count, graph.int32(1))
    rows = graph.add("Unsqueeze", "share/rows_column", rows, graph.integers(1))
    is_pad = graph.add("Equal", "share/is_pad", "input_ids", graph.int32(pad_token_id))
    real = graph.add("Not", "share/real", is_pad)
    is_own = graph.add("And", "share/counts", graph.add("Equal", "share/is_own", item, rows), real)
    return _shares(graph, "share", is_own)


def _padded_shares(graph: GraphBuilder) -> str:
    """`[items, 1, length]`: each token's part in the mean of its text, 0 for padding."""
    return graph.add(
        "Unsqueeze", "share", _shares(graph, "share/rows", "mask/real"), graph.integers(1)
    )


def _shares(graph: GraphBuilder, name: str, counts: str) -> str:
    own = graph.add("Cast", "share/own", counts, to=FLOAT)
    lengths = graph.add("ReduceSum", "share/lengths", own, graph.integers(1), keepdims=1)
    return graph.narrowed("Div", name, own, lengths)
