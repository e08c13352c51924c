"""The end of the canonical graph: what each head makes of the encoder's last hidden state."""

from dataclasses import dataclass

from onnx import TensorProto

from build_scripts.encoder import Head, SequenceHead, SpanHead, TokenHead, VectorHead
from build_scripts.onnx_builder import GraphBuilder

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


def write_head(graph: GraphBuilder, head: Head, place: Place, hidden: str, width: int) -> None:
    """Write the head and declare the graph's outputs.

    Args:
        graph: the graph so far.
        head: what to write.
        place: where tokens stand.
        hidden: the last hidden state: of first tokens alone where that is all the head needs.
        width: of the hidden state.
    """
    tokens = ("tokens",) if place.pad is not None else ("items", "length")
    if isinstance(head, SequenceHead):
        if head.pooler is not None:
            pooled = graph.linear("pooler", head.pooler, hidden)
            hidden = graph.activation("pooler/activation", head.pooler_activation, pooled)
        graph.linear("logits", head.output, hidden)
        graph.output("logits", "items", head.output.outputs)
    elif isinstance(head, TokenHead):
        graph.linear("logits", head.output, hidden)
        graph.output("logits", *tokens, head.output.outputs)
    elif isinstance(head, SpanHead):
        both = graph.linear("span", head.output, hidden)
        for column, name in enumerate(("start_logits", "end_logits")):
            graph.add("Gather", name, both, graph.int64(column), axis=-1)
            graph.output(name, *tokens)
    else:
        _write_vector(graph, head, place, hidden)
        graph.output("vector", "items", width)


def _write_vector(graph: GraphBuilder, head: VectorHead, place: Place, hidden: str) -> None:
    if head.pooling == "mean":
        if place.item is None:
            mean = graph.add("MatMul", "mean", _padded_shares(graph), hidden)
            graph.add("Squeeze", "vector", mean, graph.integers(1))
        else:
            graph.add("MatMul", "vector", _packed_shares(graph, place.item), hidden)
    elif head.pooling == "pooler" and head.pooler is not None:
        pooled = graph.linear("pooler", head.pooler, hidden)
        graph.activation("vector", head.pooler_activation, pooled)
    else:
        graph.add("Identity", "vector", hidden)


def _packed_shares(graph: GraphBuilder, item: str) -> str:
    """`[items, tokens]`: each token's part in the mean of its text, 0 for those of others."""
    count = graph.add("Cast", "share/items", graph.add("Size", "share/size", "lengths"), to=INT32)
    rows = graph.add("Range", "share/rows", graph.int32(0), count, graph.int32(1))
    rows = graph.add("Unsqueeze", "share/rows_column", rows, graph.integers(1))
    own = graph.add("Cast", "share/own", graph.add("Equal", "share/is_own", item, rows), to=FLOAT)
    lengths = graph.add("Cast", "share/lengths", "lengths", to=FLOAT)
    lengths = graph.add("Unsqueeze", "share/lengths_column", lengths, graph.integers(1))
    return graph.add("Div", "share", own, lengths)


def _padded_shares(graph: GraphBuilder) -> str:
    """`[items, 1, length]`: each token's part in the mean of its text, 0 for padding."""
    own = graph.add("Cast", "share/own", "mask/real", to=FLOAT)
    lengths = graph.add("ReduceSum", "share/lengths", own, graph.integers(1), keepdims=1)
    share = graph.add("Div", "share/rows", own, lengths)
    return graph.add("Unsqueeze", "share", share, graph.integers(1))
