"""Which of a graph's inputs are the tokens, and the small batches that the graph is probed with."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.dataflow import Dataflow
from ernie_triton.build.load.onnx_graph.probe import Probe
from ernie_triton.errors import UnrecognisedGraphError

PROBE_TEXTS, PROBE_TOKENS, PROBE_PADDING = 3, 7, 2
"""Texts and tokens of a probe where the graph leaves them open; the last tokens are padding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probes:
    """One graph on three kinds of small batches.

    `plain` has no padding. In `padded`, by pad token id, the last tokens of every text have that
    id. In `masked` they have ordinary ids, and the inputs that look nothing up (an attention mask)
    are 0 there; None for a graph without such inputs.
    """

    ids: str
    token_types: str | None
    plain: Probe
    padded: dict[int, Probe]
    masked: Probe | None

    @property
    def texts(self) -> int:
        """Texts of each batch."""
        return int(self.plain.feeds[self.ids].shape[0])

    @property
    def tokens(self) -> int:
        """Tokens of each text."""
        return int(self.plain.feeds[self.ids].shape[1])


def probe_graph(flow: Dataflow) -> Probes:
    """Find the token inputs of a graph and make its probes.

    Raises:
        UnrecognisedGraphError: the inputs are not token ids, token types and masks, each [texts,
            tokens].
    """
    rows = _rows_looked_up(flow)
    ids, token_types = _token_inputs(rows)
    shape = _probe_shape(flow)
    pad_ids = sorted({0} | {i for i in _compared_ids(flow, ids) if 0 <= i < rows[ids]})
    ordinary = np.setdiff1d(np.arange(rows[ids]), pad_ids)
    if shape[1] <= PROBE_PADDING or not ordinary.size:
        raise UnrecognisedGraphError(
            f"the graph takes {shape[1]} tokens of a vocabulary of {rows[ids]}; too few to probe"
        )
    types = {i.name: onnx.helper.tensor_dtype_to_np_dtype(_type(i).elem_type) for i in flow.inputs}
    feeds = {name: np.ones(shape, dtype) for name, dtype in types.items()}
    feeds[ids] = np.random.default_rng(0).choice(ordinary, shape).astype(types[ids])
    if token_types is not None:
        varied = np.arange(shape[0] * shape[1]).reshape(shape) % rows[token_types]
        feeds[token_types] = varied.astype(types[token_types])
    masks = types.keys() - {ids, token_types}
    return Probes(
        ids=ids,
        token_types=token_types,
        plain=Probe(flow, feeds),
        padded={i: Probe(flow, {**feeds, ids: _padded(feeds[ids], i)}) for i in pad_ids},
        masked=Probe(flow, {n: _padded(v, 0) if n in masks else v for n, v in feeds.items()})
        if masks
        else None,
    )


def _padded(values: Array, padding: int) -> Array:
    values = values.copy()
    values[:, -PROBE_PADDING:] = padding
    return values


def _rows_looked_up(flow: Dataflow) -> dict[str, int]:
    """By input: the rows of the smallest table of vectors that it indexes."""
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
    """The value before any Cast and Identity."""
    node = flow.producer(name)
    while node is not None and node.op in ("Cast", "Identity"):
        name = node.inputs[0]
        node = flow.producer(name)
    return name


def _compared_ids(flow: Dataflow, ids: str) -> Iterator[int]:
    """The constants that the graph compares token ids with."""
    for node in flow.nodes:
        if node.op == "Equal" and ids in (uncast(flow, name) for name in node.inputs):
            for name in node.inputs:
                if flow.is_constant(name) and flow.constant(name).size == 1:
                    yield int(flow.constant(name).item())


def _probe_shape(flow: Dataflow) -> tuple[int, int]:
    shape = [PROBE_TEXTS, PROBE_TOKENS]
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
