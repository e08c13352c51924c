"""The head of a graph without scores: hidden states of all tokens, or one vector per text."""

import dataclasses

import numpy as np

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.dataflow import GraphEvaluation
from ernie_triton.build.load.onnx_graph.hidden_state import (
    SELECTING,
    FoundHead,
    every_token_state,
    first_token_source,
)
from ernie_triton.build.load.onnx_graph.inputs import PROBE_PADDING
from ernie_triton.build.load.onnx_graph.linear import read_activation, read_linear
from ernie_triton.build.load.onnx_graph.norm import find_norm
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.model.heads import VectorHead
from ernie_triton.errors import UnrecognisedGraphError

_AVERAGING = SELECTING | {
    *("Cast", "Div", "Expand", "MatMul", "Mul", "ReduceMean", "ReduceSum", "Where")
}
_TOLERANCE = 1e-5


def read_vector_head(reading: Reading) -> FoundHead:
    """Read the pooling of an encoder that returns hidden states, one vector per text, or both.

    A vector alone decides the pooling. A pooler's output beside the hidden states does not: its
    weights are kept, and the first token's vector is taken, as where there is no vector.

    Raises:
        UnrecognisedGraphError: the outputs are anything else.
    """
    outputs = reading.flow.outputs
    states = {name: hidden for name in outputs if (hidden := _hidden_output(reading, name))}
    vectors = [name for name in outputs if name not in states]
    if not outputs or len(states) > 1 or len(vectors) > 1:
        raise UnrecognisedGraphError(
            f"the graph has {len(outputs)} outputs ({', '.join(outputs)}); expected the last "
            "hidden state, a vector of each text, or these two"
        )
    hidden = next(iter(states.values()), None)
    if not vectors and hidden is not None:
        return FoundHead(head=_without_pooler("cls"), hidden=hidden)
    found = _read_pooled(reading, vectors[0])
    if hidden is None:
        return found
    if found.hidden != hidden:
        raise UnrecognisedGraphError(
            f"the vector {vectors[0]!r} is of what the {reading.producer(found.hidden)} makes, but "
            f"the hidden state beside it is from the {reading.producer(hidden)}; expected the same"
        )
    head = found.head
    if isinstance(head, VectorHead) and head.pooling == "pooler":
        return dataclasses.replace(found, head=dataclasses.replace(head, pooling="cls"))
    return found


def _hidden_output(reading: Reading, name: str) -> str | None:
    """Return the last hidden state if an output is it, as [texts, tokens, hidden]."""
    hidden = every_token_state(reading, name)
    if hidden is None:
        return None
    shape, batches = reading.value(name).shape, reading.batches
    return hidden if shape == (batches.texts, batches.tokens, shape[-1]) else None


def _without_pooler(pooling: str) -> VectorHead:
    return VectorHead(pooling=pooling, pooler=None, pooler_activation="identity")


def _read_pooled(reading: Reading, name: str) -> FoundHead:
    """Read how one vector per text, [texts, features], is made from a hidden state."""
    shape = reading.value(name).shape
    if len(shape) == 2:
        hidden = first_token_source(reading, name)
        if hidden is not None:
            return FoundHead(head=_without_pooler("cls"), hidden=hidden)
        found = _find_mean(reading, name) or _find_pooler(reading, name)
        if found is not None:
            return found
    raise UnrecognisedGraphError(
        f"the output {name!r}, {list(shape)} for {reading.batches.texts} texts of "
        f"{reading.batches.tokens} tokens, comes from the {reading.producer(reading.strip(name))}; "
        "expected the last hidden state's first token, its mean without padding, or a pooler with "
        "activation, not normalised yet"
    )


def _find_pooler(reading: Reading, name: str) -> FoundHead | None:
    try:
        activation, pooled = read_activation(reading, name)
    except UnrecognisedGraphError:
        return None
    pooler = read_linear(reading, pooled)
    hidden = first_token_source(reading, pooler.source)
    if hidden is None or activation == "identity":  # this may also be a classifier
        return None
    head = VectorHead(pooling="pooler", pooler=pooler.linear, pooler_activation=activation)
    return FoundHead(head=head, hidden=hidden)


def _find_mean(reading: Reading, name: str) -> FoundHead | None:
    """Recognise the mean over the tokens of each text by its result for random vectors."""
    batches = reading.batches
    roots = reading.roots(name, _AVERAGING, lambda value: find_norm(reading, value) is not None)
    hidden = every_token_state(reading, roots[0]) if len(roots) == 1 else None
    if hidden is None:
        return None
    shape = reading.value(hidden).shape
    given = np.random.default_rng(0).standard_normal(shape, np.float32)
    vectors = given.reshape(batches.texts, batches.tokens, shape[-1])
    of_all, of_real = vectors.mean(1), vectors[:, :-PROBE_PADDING].mean(1)

    def gives(batch: GraphEvaluation, expected: Array) -> bool:
        found = batch.value_given(name, {hidden: given})
        return found.shape == expected.shape and np.allclose(found, expected, 0, _TOLERANCE)

    if not gives(batches.plain, of_all):
        return None
    if batches.masked is not None and not gives(batches.masked, of_real):
        return None
    pad_ids = frozenset(i for i, batch in batches.padded.items() if gives(batch, of_real))
    others = [batch for pad_id, batch in batches.padded.items() if pad_id not in pad_ids]
    if not all(gives(batch, of_all) for batch in others):
        return None
    return FoundHead(head=_without_pooler("mean"), hidden=hidden, pad_ids=pad_ids)
