"""The canonical ONNX graph of a bag-of-words or convolution student, packed or padded.

It has the inputs and output of an encoder's graph, and standard operators of opset 20. Look-ups and
windows are computed once per token, and rows gather from them. A padded batch is treated as a
packed one with rows of the padded length: `[PAD]` is left out in both layouts.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from ernie_triton.build.graph.builder import GraphBuilder
from ernie_triton.build.graph.cpu_int8 import WORD_TABLE
from ernie_triton.build.graph.heads import write_sequence_head
from ernie_triton.build.graph.numerics import FP32, Numerics
from ernie_triton.build.graph.packing import packed_rows
from ernie_triton.build.model.slim import SlimModel, bigram_addends
from ernie_triton.errors import PrecisionError
from ernie_triton.tasks import LAYOUTS

_BIGRAM_TABLE = "embeddings/bigram"
"""Node name of the bigram look-up; its table is `…/weight`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tokens:
    """Names of tensors.

    Attributes:
        ids: int32 [tokens].
        following: int32 [tokens] each: the id one, two and more tokens later; `[PAD]` past the end.
        cells: int32 [items, columns], index of the token in each cell.
        first: int32 [items, 1, 1], index of each row's first token.
        counts: bool [items, texts, columns], True where a cell's token belongs to a text.
    """

    ids: str
    following: tuple[str, ...]
    cells: str
    first: str
    counts: str


def write_slim_graph(model: SlimModel, layout: str, numerics: Numerics = FP32) -> onnx.ModelProto:
    """Write a student as a graph.

    Args:
        model: the weights.
        layout: `packed` or `padded`.
        numerics: only FP32.

    Raises:
        PrecisionError: `numerics` is not FP32.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout {layout!r} is not one of {', '.join(LAYOUTS)}")
    if numerics != FP32:
        raise PrecisionError(
            f"a {model.kind} student has a graph in FP32 only; found {numerics.compute} with "
            f"{len(numerics.input_scales)} layers in int8; build with --precision fp32"
        )
    graph = GraphBuilder()
    tokens = _packed(graph, model) if layout == "packed" else _padded(graph, model)
    pooled = _largest(graph, model, tokens) if model.windows else _mean(graph, model, tokens)
    write_sequence_head(graph, model.head, _row_features(graph, model, pooled))
    return graph.model(f"slim_{model.kind}_{layout}")


def _packed(graph: GraphBuilder, model: SlimModel) -> _Tokens:
    ids = graph.input("input_ids", "tokens")
    types = graph.input("token_type_ids", "tokens") if model.pair else None
    rows = packed_rows(graph, ids, model.max_positions)
    pad = graph.int32(model.pad_token_id)
    end = graph.add("Gather", "item/end", rows.ends, rows.item) if _reach(model) else ""
    # Indices past the last token are clipped; their ids are not used.
    last = graph.add("ReduceMax", "token/last", rows.token, keepdims=1) if _reach(model) else ""
    following = []
    for step in range(1, _reach(model) + 1):
        name = f"following/{step}"
        place = graph.add("Add", f"{name}/place", rows.token, graph.int32(step))
        known = graph.add("Gather", f"{name}/id", ids, graph.add("Min", f"{name}/at", place, last))
        own = graph.add("Less", f"{name}/own", place, end)
        following.append(graph.add("Where", name, own, known, pad))
    cell_ids = graph.add("Gather", "cells/ids", ids, rows.cells)
    cell_types = graph.add("Gather", "cells/types", types, rows.cells) if types else None
    return _Tokens(
        ids=ids,
        following=tuple(following),
        cells=rows.cells,
        first=graph.add("Unsqueeze", "first", rows.starts, graph.integers(1, 2)),
        counts=_counts(graph, model, cell_ids, cell_types, rows.inside),
    )


def _padded(graph: GraphBuilder, model: SlimModel) -> _Tokens:
    ids = graph.input("input_ids", "items", "length")
    types = graph.input("token_type_ids", "items", "length") if model.pair else None
    flat = graph.integers(-1)
    following = []
    for step in range(1, _reach(model) + 1):
        name = f"following/{step}"
        sides = graph.constant(f"{name}/sides", [0, 0, 0, step], np.int64)
        longer = graph.add("Pad", f"{name}/longer", ids, sides, graph.int32(model.pad_token_id))
        from_, to = graph.integers(step), graph.constant("int64_all", [2**62], np.int64)
        moved = graph.add("Slice", f"{name}/moved", longer, from_, to, graph.integers(1))
        following.append(graph.add("Reshape", name, moved, flat))
    shape = graph.add("Cast", "shape", graph.add("Shape", "shape/int64", ids), to=TensorProto.INT32)
    items, length = (
        graph.add("Gather", n, shape, graph.int64(i)) for i, n in ((0, "items"), (1, "length"))
    )
    zero, one = graph.int32(0), graph.int32(1)
    row = graph.add("Range", "row", zero, items, one)
    start = graph.add("Mul", "starts", row, length)
    starts = graph.add("Unsqueeze", "starts/column", start, graph.integers(1))
    column = graph.add("Range", "column", zero, length, one)
    return _Tokens(
        ids=graph.add("Reshape", "ids", ids, flat),
        following=tuple(following),
        cells=graph.add("Add", "cells", starts, column),
        first=graph.add("Unsqueeze", "first", start, graph.integers(1, 2)),
        counts=_counts(graph, model, ids, types, None),
    )


def _reach(model: SlimModel) -> int:
    """Count the following tokens that a token's features read."""
    return len(model.windows) - 1 if model.windows else int(len(model.bigram) > 0)


def _counts(
    graph: GraphBuilder, model: SlimModel, ids: str, types: str | None, inside: str | None
) -> str:
    """Write bool [items, texts, columns] from the ids and types in the cells, [items, columns]."""
    is_pad = graph.add("Equal", "counts/is_pad", ids, graph.int32(model.pad_token_id))
    real = graph.add("Not", "counts/real", is_pad)
    if inside is not None:
        real = graph.add("And", "counts/inside", real, inside)
    real = graph.add("Unsqueeze", "counts/of_row", real, graph.integers(1))
    if types is None:
        return real
    texts = graph.constant("texts", [[0], [1]], np.int32)
    types = graph.add("Unsqueeze", "counts/types", types, graph.integers(1))
    return graph.add("And", "counts", real, graph.add("Equal", "counts/own", types, texts))


def _vectors(graph: GraphBuilder, model: SlimModel, name: str, ids: str) -> str:
    """Look up word vectors, [tokens, width]."""
    table = graph.constant(f"{WORD_TABLE}/weight", model.word, np.float32)
    return graph.add("Gather", name, table, ids)


def _mean(graph: GraphBuilder, model: SlimModel, tokens: _Tokens) -> str:
    """Write the mean vector of each text, [items, texts, width]; zeros for an empty text."""
    vectors = _vectors(graph, model, WORD_TABLE, tokens.ids)
    if len(model.bigram):
        table = graph.constant(f"{_BIGRAM_TABLE}/weight", model.bigram, np.float32)
        bigrams = graph.add("Gather", _BIGRAM_TABLE, table, _buckets(graph, model, tokens))
        vectors = graph.add("Add", "vectors", vectors, bigrams)
    own = graph.add("Cast", "share/own", tokens.counts, to=TensorProto.FLOAT)
    number = graph.add("ReduceSum", "share/number", own, graph.integers(2), keepdims=1)
    number = graph.add("Max", "share/or_one", number, graph.constant("float_1", 1.0, np.float32))
    total = graph.add(
        "MatMul", "total", own, graph.add("Gather", "cells/vectors", vectors, tokens.cells)
    )
    return graph.add("Div", "mean", total, number)


def _buckets(graph: GraphBuilder, model: SlimModel, tokens: _Tokens) -> str:
    """Write the bucket of the bigram that begins at each token, [tokens]."""
    buckets = len(model.bigram)
    found = [
        graph.add(
            "Gather", f"bigram/{name}", graph.constant(f"bigram/{name}s", addends, np.int32), ids
        )
        for name, addends, ids in zip(
            ("first", "second"),
            bigram_addends(model.vocabulary_size, buckets),
            (tokens.ids, tokens.following[0]),
            strict=True,
        )
    ]
    total = graph.add("Add", "bigram/sum", *found)
    size = graph.int32(buckets)
    beyond = graph.add("GreaterOrEqual", "bigram/beyond", total, size)
    less = graph.add("Sub", "bigram/less", total, size)
    return graph.add("Where", "bigram/bucket", beyond, less, total)


def _largest(graph: GraphBuilder, model: SlimModel, tokens: _Tokens) -> str:
    """Write each feature's maximum over a text's windows, [items, texts, features]."""
    parts = [
        _vectors(graph, model, f"window/vectors_{place}", ids)
        for place, ids in enumerate((tokens.ids, *tokens.following))
    ]
    made = []
    for size, window in enumerate(model.windows, 1):
        seen = parts[0]
        if size > 1:
            seen = graph.add("Concat", f"window/{size}/seen", *parts[:size], axis=1)
        made.append(graph.linear(f"window/{size}", window, seen))
    values = made[0] if len(made) == 1 else graph.add("Concat", "window", *made, axis=1)
    # Cells of other texts repeat the first cell of this text, so the maximum needs no mask.
    number = graph.add("Cast", "first/counts", tokens.counts, to=TensorProto.INT32)
    column = graph.add("ArgMax", "first/column", number, axis=2, keepdims=1)
    column = graph.add("Cast", "first/column_int32", column, to=TensorProto.INT32)
    first = graph.add("Add", "first/token", tokens.first, column)
    cells = graph.add("Unsqueeze", "cells/of_texts", tokens.cells, graph.integers(1))
    cells = graph.add("Where", "cells/counting", tokens.counts, cells, first)
    rows = graph.add("Gather", "cells/values", values, cells)
    largest = graph.add("ReduceMax", "largest", rows, graph.integers(2), keepdims=0)
    return graph.add("Relu", "pooled", largest)


def _row_features(graph: GraphBuilder, model: SlimModel, pooled: str) -> str:
    """Combine the vectors of a row's texts into its features, [items, features]."""
    if not model.pair:
        return graph.add("Squeeze", "features", pooled, graph.integers(1))
    first, second = (
        graph.add("Gather", f"pair/{name}", pooled, graph.int64(text), axis=1)
        for text, name in enumerate(("first", "second"))
    )
    apart = graph.add("Abs", "pair/apart", graph.add("Sub", "pair/difference", first, second))
    product = graph.add("Mul", "pair/product", first, second)
    return graph.add("Concat", "features", first, second, apart, product, axis=1)
