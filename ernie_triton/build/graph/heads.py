"""The heads of the canonical graph: outputs from the encoder's last hidden state."""

from collections.abc import Callable
from functools import partial

from ernie_triton.build.graph.builder import GraphBuilder
from ernie_triton.build.graph.packing import Place, first_tokens, mask_tokens
from ernie_triton.build.graph.vectors import write_vector
from ernie_triton.build.model.heads import (
    Head,
    LexicalHead,
    MaskedHead,
    SequenceHead,
    SpanHead,
    TokenHead,
    TokenVectorHead,
    VectorHead,
)
from ernie_triton.build.model.models import Model

TokenChoice = Callable[[str, str], str]
"""Writes a tensor of a name: of another, the vectors of one token of each text."""


def needs_first_token_only(head: Head) -> bool:
    """Return whether the head reads only the first token of each text."""
    return isinstance(head, SequenceHead) or (
        isinstance(head, VectorHead) and head.pooling in ("cls", "pooler")
    )


def read_token(graph: GraphBuilder, head: Head, place: Place) -> TokenChoice | None:
    """Return the choice of the one token of each text that a head reads; None for all."""
    if isinstance(head, MaskedHead):
        return partial(mask_tokens, graph, place, head.mask_id)
    return partial(first_tokens, graph, place) if needs_first_token_only(head) else None


def write_head(graph: GraphBuilder, model: Model, place: Place, hidden: str) -> None:
    """Write the head and declare the graph's outputs.

    Matrix products have the compute type, as elsewhere: TensorRT for RTX has no float32 products
    for Turing GPUs. Outputs are float32.

    Args:
        graph: the graph so far.
        model: the model whose head is written.
        place: the token maps.
        hidden: the last hidden state; of one token of each text where the head reads no other.
    """
    head, encoder = model.head, model.encoder
    tokens = ("tokens",) if place.pad is not None else ("items", "length")
    if isinstance(head, SequenceHead):
        write_sequence_head(graph, head, hidden)
    elif isinstance(head, LexicalHead):
        weighed = graph.add("Relu", "weighed", graph.scores("weigh", head.output, hidden))
        graph.add("Gather", "weights", weighed, graph.int64(0), axis=-1)
        graph.output("weights", *tokens)
    elif isinstance(head, TokenVectorHead):
        graph.scores("token_vectors", head.output, hidden)
        graph.output("token_vectors", *tokens, head.output.outputs)
    elif isinstance(head, TokenHead):
        graph.scores("logits", head.output, hidden)
        graph.output("logits", *tokens, head.output.outputs)
    elif isinstance(head, SpanHead):
        both = graph.scores("span", head.output, hidden)
        for column, name in enumerate(("start_logits", "end_logits")):
            graph.add("Gather", name, both, graph.int64(column), axis=-1)
            graph.output(name, *tokens)
    elif isinstance(head, MaskedHead):
        wide = graph.linear("transform", head.transform, hidden)
        wide = graph.activation("transform/activation", head.activation, wide)
        normed = graph.norm("transform/norm", head.norm, graph.widened(wide))
        graph.scores("logits", head.output, normed)
        graph.output("logits", "items", head.output.outputs)
    else:
        write_vector(graph, head, place, hidden, encoder.pad_token_id)
        graph.output("vector", "items", head.width(encoder.hidden))


def write_sequence_head(graph: GraphBuilder, head: SequenceHead, features: str) -> None:
    """Write the scores of each text from its features, [items, features], as output `logits`."""
    if head.pooler is not None:
        pooled = graph.linear("pooler", head.pooler, features)
        features = graph.activation("pooler/activation", head.pooler_activation, pooled)
    graph.scores("logits", head.output, features)
    graph.output("logits", "items", head.output.outputs)
