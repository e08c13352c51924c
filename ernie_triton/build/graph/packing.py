"""The places of tokens in a batch; those of a packed one are computed from `lengths`."""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from ernie_triton.batch import COLUMN_STEP, columns_for
from ernie_triton.build.graph.builder import GraphBuilder
from ernie_triton.tasks import LENGTHS, WIDTH

_INT32 = TensorProto.INT32


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Names of the tensors that map tokens to texts and to the attention's rectangle.

    The last four are None in the padded layout, whose tokens are in the rectangle already.

    Attributes:
        position: position of each token in its text.
        mask: float32 [items, 1, 1, columns], added to attention scores.
        kept: bool [items, columns], True for the cells of real tokens.
        item: index of each token's text.
        pad: index of the token in each cell of the rectangle.
        unpad: index of the cell of each token.
        starts: index of each text's first token.
    """

    position: str
    mask: str
    kept: str
    item: str | None
    pad: str | None
    unpad: str | None
    starts: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedRows:
    """Names of int32 tensors, and of one bool.

    Attributes:
        token: [tokens], index of each token.
        item: [tokens], index of each token's row.
        starts: [items], index of each row's first token.
        ends: [items], index after each row's last token.
        columns: scalar, columns of the rectangle.
        cells: [items, columns], index of the token in each cell; past the end the row's last token.
        inside: bool [items, columns], True for cells before the row's end.
    """

    token: str
    item: str
    starts: str
    ends: str
    columns: str
    cells: str
    inside: str


def packed_rows(graph: GraphBuilder, ids: str, max_positions: int) -> PackedRows:
    """Declare the inputs `lengths` and `width`; write each token's row and each cell's token.

    Args:
        graph: the graph so far.
        ids: name of a tensor [tokens].
        max_positions: maximum tokens of a row.
    """
    lengths = graph.input(LENGTHS, "items")
    zero, one = graph.int32(0), graph.int32(1)
    ends = graph.add("CumSum", "ends", lengths, zero)
    starts = graph.add("Sub", "starts", ends, lengths)
    tokens = graph.add("Squeeze", "tokens/scalar", graph.add("Shape", "tokens/shape", ids))
    tokens = graph.add("Cast", "tokens", tokens, to=_INT32)
    token = graph.add("Range", "token", zero, tokens, one)
    column, columns = _columns(graph, max_positions)

    def column_vector(name: str) -> str:
        return graph.add("Unsqueeze", f"{name}/column", name, graph.integers(1))

    ends_column = column_vector(ends)
    passed = graph.add("GreaterOrEqual", "item/passed", token, ends_column)
    passed = graph.add("Cast", "item/passed_count", passed, to=_INT32)
    item = graph.add("ReduceSum", "item", passed, graph.integers(0), keepdims=0)
    last = graph.add("Sub", "pad/last", ends_column, one)
    reach = graph.add("Add", "pad/reach", column_vector(starts), column)
    cells = graph.add("Min", "pad", reach, last)
    inside = graph.add("Less", "mask/inside", column, column_vector(lengths))
    return PackedRows(
        token=token,
        item=item,
        starts=starts,
        ends=ends,
        columns=columns,
        cells=cells,
        inside=inside,
    )


def _columns(graph: GraphBuilder, max_positions: int) -> tuple[str, str]:
    """Write the numbers of the rectangle's columns, [columns], and how many they are, a scalar.

    That follows from the shape of the input `width`, rounded up to a multiple: runtimes that
    compile a kernel per shape see fewer shapes, and no size has to come back from a GPU, as the
    longest of `lengths` would (TensorRT for RTX 1.7: a copy and three waits in every run).
    """
    width = graph.add("Shape", "columns/width", graph.input(WIDTH, "width"))
    step = graph.integers(COLUMN_STEP)
    beyond = graph.add("Add", "columns/beyond", width, graph.integers(COLUMN_STEP - 1))
    rounded = graph.add(
        "Mul", "columns/rounded", graph.add("Div", "columns/steps", beyond, step), step
    )
    # A slice of a constant, not a Range, tells TensorRT the maximum number of columns. Otherwise it
    # assumes rows as long as all tokens, or fails (TensorRT for RTX 1.7).
    widest = columns_for(max_positions)
    end = graph.add("Min", "columns/end", rounded, graph.integers(widest))
    every = graph.constant("columns/every", np.arange(widest), np.int32)
    column = graph.add("Slice", "column", every, graph.integers(0), end)
    count = graph.add("Cast", "columns", graph.add("Squeeze", "columns/scalar", end), to=_INT32)
    return column, count


def first_tokens(graph: GraphBuilder, place: Place, name: str, x: str) -> str:
    """Gather the vectors of the first tokens, [items, hidden]."""
    if place.starts is None:
        column = graph.add("Gather", f"{name}/column", x, graph.integers(0), axis=1)
        return graph.add("Squeeze", name, column, graph.integers(1))
    return graph.add("Gather", name, x, place.starts)


def mask_tokens(graph: GraphBuilder, place: Place, mask_id: int, name: str, x: str) -> str:
    """Gather the vectors of the last token of each text with this id, [items, hidden].

    A text without one gives its first token. Positions are compared, not searched with ArgMax,
    whose choice among equals is the runtime's.
    """
    ids, columns = "input_ids", place.position
    if place.pad is not None:
        ids, columns = graph.add("Gather", f"{name}/ids", ids, place.pad), "column"
    is_mask = graph.add("Equal", f"{name}/is_mask", ids, graph.int32(mask_id))
    found = graph.add("Where", f"{name}/columns", is_mask, columns, graph.int32(0))
    if place.starts is not None:
        column = graph.add("ReduceMax", f"{name}/column", found, graph.integers(1), keepdims=0)
        return graph.add("Gather", name, x, graph.add("Add", f"{name}/token", place.starts, column))
    column = graph.add("ReduceMax", f"{name}/column", found, graph.integers(1), keepdims=1)
    index = graph.add("Cast", f"{name}/index", column, to=TensorProto.INT64)
    return graph.add("GatherND", name, x, index, batch_dims=1)
