"""The embedding tables of a graph, each identified by its indices."""

from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32
from ernie_triton.build.load.onnx_graph.dataflow import GraphEvaluation
from ernie_triton.build.load.onnx_graph.inputs import PROBE_PADDING, uncast
from ernie_triton.build.load.onnx_graph.linear import sum_terms
from ernie_triton.build.load.onnx_graph.operators import Node
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.errors import UnrecognisedGraphError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embeddings:
    """The tables as `Encoder` has them.

    Attributes:
        word: float32 [vocabulary, width].
        position: float32 [positions, width], from the first token's row on.
        token_type: float32 [types, width].
        first_position: row of the table of positions that the first token has.
        pad_ids: the ids that get a position of their own.
    """

    word: Float32
    position: Float32
    token_type: Float32
    first_position: int
    pad_ids: frozenset[int]


def are_embeddings(reading: Reading, name: str) -> bool:
    """Return whether a value is a sum of vectors looked up in tables."""
    variables, _ = sum_terms(reading, name)
    return any(_lookup(reading, term) is not None for term in variables)


def read_embeddings(reading: Reading, name: str) -> Embeddings:
    """Read the tables whose vectors add up to a value.

    A table of which every token takes the same row, such as ERNIE's task types, is added to every
    token type. So is a token type table in a graph that takes no token types.

    Raises:
        UnrecognisedGraphError: a term of the sum is no such vector, or a table is missing.
    """
    variables, constants = sum_terms(reading, name)
    tables: dict[str, Float32] = {}
    rows: list[Float32] = []
    first_position, pad_ids = 0, frozenset[int]()
    for term in variables:
        kind, table, indices = _identify_table(reading, term)
        if kind in tables:
            raise UnrecognisedGraphError(f"{term!r} is from a second table of {kind} embeddings")
        if kind == "constant":
            rows.append(table)
        else:
            tables[kind] = table
        if kind == "position":
            first_position = int(_by_token(reading, indices, reading.batches.plain)[0, 0])
            pad_ids = _pad_ids_with_own_position(reading, indices)
    for constant in constants:
        _add_constant(constant, reading.batches.tokens, tables, rows)
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
        first_position=first_position,
        pad_ids=pad_ids,
    )


def _lookup(reading: Reading, name: str) -> Node | None:
    node = reading.flow.producer(name)
    if node is None or node.op != "Gather" or not reading.flow.is_constant(node.inputs[0]):
        return None
    table = reading.flow.constant(node.inputs[0])
    return node if table.ndim == 2 and node.attribute("axis", 0) == 0 else None


def _identify_table(reading: Reading, term: str) -> tuple[str, Float32, str]:
    """Return the kind of a table, the table from its first used row on, and its indices."""
    batches = reading.batches
    node = _lookup(reading, term)
    if node is None:
        raise UnrecognisedGraphError(
            f"found the {reading.producer(term)} among the embeddings; expected vectors of "
            "constant tables alone"
        )
    table = reading.flow.constant(node.inputs[0]).astype(np.float32, copy=False)
    source = uncast(reading.flow, node.inputs[1])
    if source == batches.ids:
        return "word", table, node.inputs[1]
    if source == batches.token_types:
        return "token_type", table, node.inputs[1]
    indices = _by_token(reading, node.inputs[1], batches.plain)
    first = int(indices[0, 0])
    if (indices == first).all() and all(
        (_by_token(reading, node.inputs[1], batch) == first).all()
        for batch in batches.padded.values()
    ):
        return "constant", table[first], node.inputs[1]
    if (indices == np.arange(first, first + batches.tokens)).all():
        return "position", table[first:], node.inputs[1]
    raise UnrecognisedGraphError(
        f"the {node} looks up rows {indices[0].tolist()} for a text of {batches.tokens} tokens; "
        "expected token ids, token types, consecutive positions, or one row for all"
    )


def _by_token(reading: Reading, indices: str, batch: GraphEvaluation) -> Array:
    """Return indices as [texts, tokens]; the graph may have one index or one row for all."""
    found = batch.value(indices).reshape(-1)
    texts, tokens = reading.batches.texts, reading.batches.tokens
    if found.size not in (1, tokens, texts * tokens):
        raise UnrecognisedGraphError(
            f"{indices!r} holds {found.size} indices of embeddings for {texts} texts of {tokens} "
            "tokens; expected one for each"
        )
    return np.broadcast_to(found.reshape(-1, min(found.size, tokens)), (texts, tokens))


def _pad_ids_with_own_position(reading: Reading, indices: str) -> frozenset[int]:
    """Find the ids that get the padding position, as RoBERTa counts positions."""
    plain = _by_token(reading, indices, reading.batches.plain)
    found = set()
    for pad_id, batch in reading.batches.padded.items():
        padded = _by_token(reading, indices, batch)
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
    """Add a constant term: one vector for all tokens, or the positions of a fixed length."""
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
