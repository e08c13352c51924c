"""The embedding tables of a graph, each told by the indices that it is looked up with."""

from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32
from ernie_triton.build.load.onnx_graph.inputs import PROBE_PADDING, uncast
from ernie_triton.build.load.onnx_graph.linear import sum_terms
from ernie_triton.build.load.onnx_graph.operators import Node
from ernie_triton.build.load.onnx_graph.probe import Probe
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.errors import UnrecognisedGraphError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embeddings:
    """The tables as `Encoder` has them, and the pad ids that are given a position of their own."""

    word: Float32
    position: Float32
    token_type: Float32
    pad_ids: frozenset[int]


def are_embeddings(reading: Reading, name: str) -> bool:
    """Whether a value is a sum of vectors looked up in tables."""
    variables, _ = sum_terms(reading, name)
    return any(_lookup(reading, term) is not None for term in variables)


def read_embeddings(reading: Reading, name: str) -> Embeddings:
    """The tables whose vectors add up to a value.

    A table that is looked up with the same row for every token, such as ERNIE's task types, is
    one vector more in every token type; so is the only row used of a token type table in a graph
    that takes no token types.

    Raises:
        UnrecognisedGraphError: a term of the sum is no such vector, or a table is missing.
    """
    variables, constants = sum_terms(reading, name)
    tables: dict[str, Float32] = {}
    rows: list[Float32] = []
    pad_ids: frozenset[int] = frozenset()
    for term in variables:
        kind, table, indices = _told_by_indices(reading, term)
        if kind in tables:
            raise UnrecognisedGraphError(f"{term!r} is from a second table of {kind} embeddings")
        if kind == "constant":
            rows.append(table)
        else:
            tables[kind] = table
        if kind == "position":
            pad_ids = _pad_ids_with_own_position(reading, indices)
    for constant in constants:
        _add_constant(constant, reading.probes.tokens, tables, rows)
    for kind in ("word", "position"):
        if kind not in tables:
            raise UnrecognisedGraphError(
                f"the sum that ends in the {reading.producer(reading.strip(name))} has no table "
                f"of {kind} embeddings"
            )
    token_type = tables.get("token_type", np.zeros((1, tables["word"].shape[1]), np.float32))
    return Embeddings(
        word=tables["word"],
        position=tables["position"],
        token_type=sum(rows, token_type),
        pad_ids=pad_ids,
    )


def _lookup(reading: Reading, name: str) -> Node | None:
    node = reading.flow.producer(name)
    if node is None or node.op != "Gather" or not reading.flow.is_constant(node.inputs[0]):
        return None
    table = reading.flow.constant(node.inputs[0])
    return node if table.ndim == 2 and node.attribute("axis", 0) == 0 else None


def _told_by_indices(reading: Reading, term: str) -> tuple[str, Float32, str]:
    """What a table is for, the table from the first row used on, and the indices."""
    probes = reading.probes
    node = _lookup(reading, term)
    if node is None:
        raise UnrecognisedGraphError(
            f"found the {reading.producer(term)} among the embeddings; expected vectors of "
            "constant tables alone"
        )
    table = reading.flow.constant(node.inputs[0]).astype(np.float32, copy=False)
    source = uncast(reading.flow, node.inputs[1])
    if source == probes.ids:
        return "word", table, node.inputs[1]
    if source == probes.token_types:
        return "token_type", table, node.inputs[1]
    indices = _by_token(reading, node.inputs[1], probes.plain)
    first = int(indices[0, 0])
    if (indices == first).all() and all(
        (_by_token(reading, node.inputs[1], probe) == first).all()
        for probe in probes.padded.values()
    ):
        return "constant", table[first], node.inputs[1]
    if (indices == np.arange(first, first + probes.tokens)).all():
        return "position", table[first:], node.inputs[1]
    raise UnrecognisedGraphError(
        f"the {node} looks up rows {indices[0].tolist()} for a text of {probes.tokens} tokens; "
        "expected token ids, token types, consecutive positions, or one row for all"
    )


def _by_token(reading: Reading, indices: str, probe: Probe) -> Array:
    """Indices as [texts, tokens], though the graph may have one for all, or one row for all."""
    found = probe.value(indices).reshape(-1)
    texts, tokens = reading.probes.texts, reading.probes.tokens
    if found.size not in (1, tokens, texts * tokens):
        raise UnrecognisedGraphError(
            f"{indices!r} holds {found.size} indices of embeddings for {texts} texts of {tokens} "
            "tokens; expected one for each"
        )
    return np.broadcast_to(found.reshape(-1, min(found.size, tokens)), (texts, tokens))


def _pad_ids_with_own_position(reading: Reading, indices: str) -> frozenset[int]:
    """The ids that RoBERTa's way of counting positions takes for padding."""
    plain = _by_token(reading, indices, reading.probes.plain)
    found = set()
    for pad_id, probe in reading.probes.padded.items():
        padded = _by_token(reading, indices, probe)
        if not np.array_equal(padded[:, :-PROBE_PADDING], plain[:, :-PROBE_PADDING]):
            raise UnrecognisedGraphError(
                f"token {pad_id} at the end of a text moves the positions of the tokens before it"
            )
        if not np.array_equal(padded, plain):
            found.add(pad_id)
    return frozenset(found)


def _add_constant(
    constant: Array, tokens: int, tables: dict[str, Float32], rows: list[Float32]
) -> None:
    """Take a constant term: one vector for all tokens, or the positions of a fixed length."""
    width = constant.shape[-1] if constant.ndim else 1
    vectors = constant.reshape(-1, width).astype(np.float32, copy=False)
    if (vectors == vectors[0]).all():
        rows.append(vectors[0])
    elif len(vectors) == tokens and "position" not in tables:
        tables["position"] = vectors
    else:
        raise UnrecognisedGraphError(
            f"a constant of shape {list(constant.shape)} is added to the embeddings; expected one "
            f"vector, or one for each of {tokens} positions"
        )
