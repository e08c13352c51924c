"""The head of a graph without scores: hidden states of all tokens, or one vector per text."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

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
from ernie_triton.build.load.onnx_graph.outputs import SENTENCE_VECTOR
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.model.heads import Dense, UnitLength, VectorHead, VectorLayer
from ernie_triton.errors import UnrecognisedGraphError

_POOLING = SELECTING | {
    *("Cast", "Div", "Expand", "MatMul", "Mul", "ReduceMean", "ReduceSum", "Where"),
    *("Add", "Sub", "Max", "Clip", "Sqrt", "Pow", "ReduceMax", "ReduceL2", "Equal", "Not", "Neg"),
    *("CumSum", "GatherElements", "ArgMax", "Tile"),
}
"""Operators between the hidden state and what is pooled of it, in any export."""
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
        found = _find_vector(reading, name)
        if found is not None:
            return found
    raise UnrecognisedGraphError(
        f"the output {name!r}, {list(shape)} for {reading.batches.texts} texts of "
        f"{reading.batches.tokens} tokens, comes from the {reading.producer(reading.strip(name))}; "
        "expected the last hidden state's first token, another pooling of its real tokens, or a "
        "pooler with activation, each with or without dense layers and a scaling to length 1"
    )


def _find_vector(reading: Reading, name: str) -> FoundHead | None:
    """Read poolings, and the layers behind them from the last to the first."""
    layers: list[VectorLayer] = []
    is_vector = name == SENTENCE_VECTOR
    while True:
        unscaled = _find_unscaled(reading, name)
        if unscaled is not None:
            layers.insert(0, UnitLength())
            name, is_vector = unscaled, True
        found = _find_pooling(reading, name)
        if found is None and not layers:
            found = _find_pooler(reading, name)
        if found is not None and isinstance(found.head, VectorHead):
            head = dataclasses.replace(found.head, layers=tuple(layers))
            return dataclasses.replace(found, head=head)
        dense = _find_dense(reading, name)
        # A layer without activation may as well be a classifier's.
        if dense is None or (dense[0].activation == "identity" and not (is_vector or layers)):
            return None
        layers.insert(0, dense[0])
        name = dense[1]


def _find_dense(reading: Reading, name: str) -> tuple[Dense, str] | None:
    """Return the dense layer that makes a value, and its input."""
    try:
        activation, linear = read_activation(reading, name)
    except UnrecognisedGraphError:
        return None
    applied = read_linear(reading, linear)
    return Dense(linear=applied.linear, activation=activation), applied.source


def _find_unscaled(reading: Reading, name: str) -> str | None:
    """Return the value that is scaled to length 1 to make another; None where none is."""
    node = reading.flow.producer(reading.strip(name))
    if node is None or node.op not in ("Div", "LpNormalization"):
        return None
    source = node.inputs[0]
    shape = reading.value(source).shape
    if reading.flow.is_constant(source) or len(shape) != 2:
        return None
    given = np.random.default_rng(0).standard_normal(shape, np.float32)
    found = reading.batches.plain.value_given(name, {source: given})
    expected = given / np.linalg.norm(given, axis=1, keepdims=True)
    is_scaled = found.shape == shape and np.allclose(found, expected, 0, _TOLERANCE)
    return source if is_scaled else None


def _find_pooling(reading: Reading, name: str) -> FoundHead | None:
    """Read one pooling, or several that are put side by side."""
    node = reading.producer(reading.strip(name))
    if node.op == "Concat":
        return _find_joined(reading, node.inputs)
    hidden = first_token_source(reading, name)
    if hidden is not None:
        return FoundHead(head=_without_pooler("cls"), hidden=hidden)
    return _find_pooled_tokens(reading, name)


def _find_joined(reading: Reading, names: Sequence[str]) -> FoundHead | None:
    parts = [_find_pooling(reading, name) for name in names]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({part.hidden for part in known}) != 1:
        return None
    masks = {part.pad_ids for part in known} - {None}
    heads = [part.head for part in known if isinstance(part.head, VectorHead)]
    poolings = [head.pooling for head in heads]
    if len(masks) > 1 or len(set(poolings)) < len(parts):
        return None
    head = _without_pooler("+".join(poolings))
    return FoundHead(head=head, hidden=known[0].hidden, pad_ids=next(iter(masks), None))


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


def _find_pooled_tokens(reading: Reading, name: str) -> FoundHead | None:
    """Recognise what is pooled of the tokens of each text by its result for random vectors."""
    batches = reading.batches
    roots = reading.roots(name, _POOLING, lambda value: find_norm(reading, value) is not None)
    hidden = every_token_state(reading, roots[0]) if len(roots) == 1 else None
    if hidden is None:
        return None
    shape = reading.value(hidden).shape
    given = np.random.default_rng(0).standard_normal(shape, np.float32)
    vectors = given.reshape(batches.texts, batches.tokens, shape[-1])
    found = batches.plain.value_given(name, {hidden: given})
    for pooling, pool in _POOLED.items():
        of_all, of_real = pool(vectors), pool(vectors[:, :-PROBE_PADDING])
        if not _is_close(found, of_all):
            continue

        def gives(batch: GraphEvaluation, expected: Array) -> bool:
            return _is_close(batch.value_given(name, {hidden: given}), expected)

        if batches.masked is not None and not gives(batches.masked, of_real):
            return None
        pad_ids = frozenset(i for i, batch in batches.padded.items() if gives(batch, of_real))
        others = [batch for pad_id, batch in batches.padded.items() if pad_id not in pad_ids]
        if not all(gives(batch, of_all) for batch in others):
            return None
        return FoundHead(head=_without_pooler(pooling), hidden=hidden, pad_ids=pad_ids)
    return None


def _is_close(found: Array, expected: Array) -> bool:
    return found.shape == expected.shape and np.allclose(found, expected, 0, _TOLERANCE)


def _weighted_mean(vectors: Array) -> Array:
    weights = np.arange(1, vectors.shape[1] + 1, dtype=np.float32)
    return np.asarray(np.average(vectors, axis=1, weights=weights))


_POOLED: Mapping[str, Callable[[Array], Array]] = {
    "mean": lambda vectors: vectors.mean(axis=1),
    "max": lambda vectors: vectors.max(axis=1),
    "mean_sqrt_len": lambda vectors: vectors.sum(axis=1) / np.sqrt(vectors.shape[1]),
    "weightedmean": _weighted_mean,
    "lasttoken": lambda vectors: vectors[:, -1],
}
"""Poolings of vectors [texts, tokens, hidden], but for the first token's."""
