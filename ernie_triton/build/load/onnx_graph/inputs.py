"""The token inputs of a graph, and small probe batches to evaluate the graph on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.dataflow import Dataflow, GraphEvaluation
from ernie_triton.errors import UnrecognisedGraphError

_TEXTS, _TOKENS = 3, 7
"""Size of a probe batch where the graph leaves it open."""
PROBE_PADDING = 2
"""Padding tokens at the end of each text, in the batches that have padding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProbeBatches:
    """Evaluations of one graph on small batches of three kinds.

    Attributes:
        ids: name of the token id input.
        token_types: name of the token type input; None where the graph has none.
        plain: a batch without padding.
        padded: by pad token id, the batch whose texts end in tokens with this id.
        masked: the batch whose last tokens have ordinary ids but an attention mask of 0; None
            where the graph has no mask input.
    """

    ids: str
    token_types: str | None
    plain: GraphEvaluation
    padded: dict[int, GraphEvaluation]
    masked: GraphEvaluation | None

    @property
    def texts(self) -> int:
        """Texts of each batch."""
        return int(self.plain.feeds[self.ids].shape[0])

    @property
    def tokens(self) -> int:
        """Tokens of each text."""
        return int(self.plain.feeds[self.ids].shape[1])


def make_probe_batches(flow: Dataflow) -> ProbeBatches:
    """Find the token inputs of a graph and evaluate it on probe batches.

    Raises:
        UnrecognisedGraphError: the inputs are not token ids, token types and masks, each [texts,
            tokens].
    """
    rows = _rows_looked_up(flow)
    ids, token_types = find_token_inputs(flow)
    shape = _probe_shape(flow)
    pad_ids = sorted({0} | {i for i in _compared_ids(flow, ids) if 0 <= i < rows[ids]})
    ordinary = np.setdiff1d(np.arange(rows[ids]), pad_ids)
    if shape[1] <= PROBE_PADDING or not ordinary.size:
        raise UnrecognisedGraphError(
            f"the graph takes {shape[1]} tokens of a vocabulary of {rows[ids]}; too few to evaluate"
        )
    types = {i.name: onnx.helper.tensor_dtype_to_np_dtype(_type(i).elem_type) for i in flow.inputs}
    feeds = {name: np.ones(shape, dtype) for name, dtype in types.items()}
    feeds[ids] = np.random.default_rng(0).choice(ordinary, shape).astype(types[ids])
    if token_types is not None:
        varied = np.arange(shape[0] * shape[1]).reshape(shape) % rows[token_types]
        feeds[token_types] = varied.astype(types[token_types])
    positions = {name for name in types if is_position(name)} - {ids, token_types}
    for name in positions:
        feeds[name] = np.tile(np.arange(shape[1], dtype=types[name]), (shape[0], 1))
    masks = types.keys() - {ids, token_types} - positions
    masked = {name: _padded(v, 0) if name in masks else v for name, v in feeds.items()}
    return ProbeBatches(
        ids=ids,
        token_types=token_types,
        plain=GraphEvaluation(flow, feeds),
        padded={i: GraphEvaluation(flow, {**feeds, ids: _padded(feeds[ids], i)}) for i in pad_ids},
        masked=GraphEvaluation(flow, masked) if masks else None,
    )


def find_token_inputs(flow: Dataflow) -> tuple[str, str | None]:
    """Find the inputs of token ids and token types; None for types that the graph has not.

    Raises:
        UnrecognisedGraphError: no input, or too many, look up tables of embeddings.
    """
    rows = {name: count for name, count in _rows_looked_up(flow).items() if not is_position(name)}
    return _token_inputs(rows)


def is_position(name: str) -> bool:
    """Return whether an input gives the positions of tokens; only its name tells it."""
    return "position" in name or name == "pos_ids"


def _padded(values: Array, padding: int) -> Array:
    values = values.copy()
    values[:, -PROBE_PADDING:] = padding
    return values


def _rows_looked_up(flow: Dataflow) -> dict[str, int]:
    """Count the rows of the smallest embedding table that each input indexes."""
    rows: dict[str, int] = {}
    for node in flow.nodes:
        if node.op == "Gather" and flow.is_constant(node.inputs[0]):
            source = uncast(flow, node.inputs[1])
            table = flow.constant(node.inputs[0])
            if table.ndim == 2 and any(source == i.name for i in flow.inputs):
                rows[source] = min(len(table), rows.get(source, len(table)))
    return rows


def _token_inputs(rows: dict[str, int]) -> tuple[str, str | None]:
    by_rows = sorted(rows, key=lambda name: rows[name])
    if not by_rows:
        raise UnrecognisedGraphError("no input of the graph looks up an embedding table")
    if len(by_rows) > 2 or (len(by_rows) == 2 and rows[by_rows[0]] == rows[by_rows[1]]):
        raise UnrecognisedGraphError(
            f"the inputs {', '.join(sorted(rows))} all look up embedding tables; expected token "
            "ids and token type ids, in tables of different sizes"
        )
    return by_rows[-1], by_rows[0] if len(by_rows) == 2 else None


def uncast(flow: Dataflow, name: str) -> str:
    """Follow a value back through Cast and Identity."""
    node = flow.producer(name)
    while node is not None and node.op in ("Cast", "Identity"):
        name = node.inputs[0]
        node = flow.producer(name)
    return name


def _compared_ids(flow: Dataflow, ids: str) -> Iterator[int]:
    """Find the constants that the graph compares token ids with."""
    for node in flow.nodes:
        if node.op == "Equal" and ids in (uncast(flow, name) for name in node.inputs):
            for name in node.inputs:
                if flow.is_constant(name) and flow.constant(name).size == 1:
                    yield int(flow.constant(name).item())


def _probe_shape(flow: Dataflow) -> tuple[int, int]:
    shape = [_TEXTS, _TOKENS]
    for graph_input in flow.inputs:
        dimensions = _type(graph_input).shape.dim
        if len(dimensions) != 2:
            raise UnrecognisedGraphError(
                f"the input {graph_input.name!r} has {len(dimensions)} dimensions; "
                "expected [texts, tokens]"
            )
        for axis, dimension in enumerate(dimensions):
            shape[axis] = dimension.dim_value or shape[axis]
    return shape[0], shape[1]


def _type(graph_input: onnx.ValueInfoProto) -> onnx.TypeProto.Tensor:
    return graph_input.type.tensor_type
