"""The canonical ONNX graph of a model, in the packed and the padded layout.

It has only standard operators of opset 20, int32 inputs, and no shape arithmetic that a runtime
must guess. Both layouts share every layer. They differ in the map from tokens to the attention's
rectangle `[items, columns]`:

- packed: inputs `input_ids [tokens]`, `token_type_ids [tokens]`, `lengths [items]`, and `width`,
  whose shape bounds the longest row. Projections, norms and the feed-forward run on real tokens
  only. Attention gathers to the rectangle and back.
- padded: inputs `input_ids [items, length]`, `token_type_ids [items, length]`; the rectangle is the
  input itself.

A model without token types has no `token_type_ids`: `trim_model` removes them for single texts.

Where the head reads only one token of a text, the first or the mask, the last layer computes only
that token. Its keys and values still come from every token.

In FP16 graphs the layers exchange FP16; sums, norms, the mask and the softmax are FP32.
"""

import math

import numpy as np
import numpy.typing as npt
import onnx

from ernie_triton.build.graph.builder import GraphBuilder
from ernie_triton.build.graph.heads import TokenChoice, read_token, write_head
from ernie_triton.build.graph.numerics import FP32, Numerics
from ernie_triton.build.graph.packing import Place, packed_rows
from ernie_triton.build.graph.slim import write_slim_graph
from ernie_triton.build.model.encoder import AttendedPadding, Encoder, Layer, Linear
from ernie_triton.build.model.models import AnyModel, Model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.tasks import LAYOUTS

MASK_VALUE = -10000.0
"""Added to the scores of masked tokens; its exp is 0 in FP32, and FP16 can hold it."""


def export_onnx(model: AnyModel, layout: str, numerics: Numerics = FP32) -> onnx.ModelProto:
    """Write a model as the canonical graph.

    Args:
        model: the weights.
        layout: `packed` or `padded`.
        numerics: the number formats; `FP32` keeps every number as it is in the model.

    Returns:
        A graph with the task's outputs, float32: per item, or per token in the layout of the
        inputs.

    Raises:
        PrecisionError: a weight is too large for FP16, or a student is not written in FP32.
    """
    if isinstance(model, SlimModel):
        return write_slim_graph(model, layout, numerics)
    graph = _write(model, layout, numerics)
    unknown = [name for name in numerics.input_scales if name not in _encoder_linears(graph)]
    if unknown:
        raise ValueError(f"the model has no quantisable linear layer {unknown[0]!r}")
    return graph.model(f"encoder_{layout}")


def quantizable_linears(model: Model, layout: str) -> dict[str, str]:
    """List the linear layers that `Numerics.input_scales` may name, from the first on.

    These are the encoder's; a head's are too small to benefit.

    Args:
        model: the weights.
        layout: `packed` or `padded`.

    Returns:
        By layer name (`layer_0/attention/query`), the name of its input tensor in the FP32 graph.
    """
    return _encoder_linears(_write(model, layout, FP32))


def _encoder_linears(graph: GraphBuilder) -> dict[str, str]:
    return {name: x for name, x in graph.linear_inputs.items() if name.startswith("layer_")}


def _write(model: Model, layout: str, numerics: Numerics) -> GraphBuilder:
    if layout not in LAYOUTS:
        raise ValueError(f"layout {layout!r} is not one of {', '.join(LAYOUTS)}")
    graph = GraphBuilder(numerics=numerics)
    place = (
        _packed_place(graph, model.encoder)
        if layout == "packed"
        else _padded_place(graph, model.encoder)
    )
    hidden = _embed(graph, model.encoder, place)
    for index, layer in enumerate(model.encoder.layers):
        last = index == len(model.encoder.layers) - 1
        chosen = read_token(graph, model.head, place) if last else None
        hidden = _layer(graph, f"layer_{index}", layer, model.encoder, place, hidden, chosen)
    write_head(graph, model, place, hidden)
    return graph


def _packed_place(graph: GraphBuilder, encoder: Encoder) -> Place:
    ids = graph.input("input_ids", "tokens")
    if len(encoder.token_type):
        graph.input("token_type_ids", "tokens")
    rows = packed_rows(graph, ids, encoder.max_positions)
    row_start = graph.add("Gather", "item/start", rows.starts, rows.item)
    position = graph.add("Sub", "position", rows.token, row_start)
    first_cell = graph.add("Mul", "unpad/row", rows.item, rows.columns)
    unpad = graph.add("Add", "unpad", first_cell, position)
    real = _real_tokens(graph, graph.add("Gather", "mask/ids", ids, rows.cells), encoder)
    kept = graph.add("And", "mask/kept", rows.inside, real)
    return Place(
        position=position,
        mask=_mask(graph, kept, encoder, "mask/ids"),
        kept=kept,
        item=rows.item,
        pad=rows.cells,
        unpad=unpad,
        starts=rows.starts,
    )


def _padded_place(graph: GraphBuilder, encoder: Encoder) -> Place:
    ids = graph.input("input_ids", "items", "length")
    if len(encoder.token_type):
        graph.input("token_type_ids", "items", "length")
    length = graph.add("Shape", "length/shape", ids, start=1, end=2)
    length = graph.add("Cast", "length", graph.add("Squeeze", "length/scalar", length), to=6)
    position = graph.add("Range", "position", graph.int32(0), length, graph.int32(1))
    real = _real_tokens(graph, ids, encoder)
    return Place(
        position=position,
        mask=_mask(graph, real, encoder, ids),
        kept=real,
        item=None,
        pad=None,
        unpad=None,
        starts=None,
    )


def _real_tokens(graph: GraphBuilder, ids: str, encoder: Encoder) -> str:
    is_pad = graph.add("Equal", "mask/is_pad", ids, graph.int32(encoder.pad_token_id))
    return graph.add("Not", "mask/real", is_pad)


def _mask(graph: GraphBuilder, kept: str, encoder: Encoder, ids: str) -> str:
    """Write the mask, [items, 1, 1, columns]: 0 on visible tokens, MASK_VALUE on the others."""
    seen = graph.constant("mask/seen", 0.0, np.float32)
    hidden = graph.constant("mask/hidden", MASK_VALUE, np.float32)
    if encoder.padding is not None:
        seen = _padding_weights(graph, kept, encoder.padding, ids)
    values = graph.add("Where", "mask/values", kept, seen, hidden)
    return graph.add("Unsqueeze", "mask", values, graph.integers(1, 2))


def _padding_weights(graph: GraphBuilder, kept: str, padding: AttendedPadding, ids: str) -> str:
    """Write what visible tokens add to scores: for padding, the logarithm of its tokens."""
    real = graph.add("Cast", "padding/kept", kept, to=onnx.TensorProto.FLOAT)
    count = graph.add("ReduceSum", "padding/count", real, graph.integers(1), keepdims=1)
    # The token that stands for padding is one of those counted.
    whole = graph.constant("padding/whole", padding.row_tokens + 1, np.float32)
    least = graph.constant("padding/least", 1.0, np.float32)
    missing = graph.add("Max", "padding/missing", graph.add("Sub", "padding", whole, count), least)
    is_padding = graph.add("Equal", "padding/is", ids, graph.int32(padding.token_id))
    is_unseen = graph.add("Equal", "padding/is_unseen", ids, graph.int32(padding.unseen_id))
    hidden = graph.constant("padding/hidden", MASK_VALUE, np.float32)
    seen = graph.constant("padding/seen", 0.0, np.float32)
    others = graph.add("Where", "padding/others", is_unseen, hidden, seen)
    weight = graph.add("Log", "padding/weight", missing)
    return graph.add("Where", "padding/weights", is_padding, weight, others)


def _embed(graph: GraphBuilder, encoder: Encoder, place: Place) -> str:
    def look_up(name: str, table: npt.NDArray[np.float32], index: str) -> str:
        weight = graph.constant(f"embeddings/{name}/weight", table, graph.numerics.compute_type)
        return graph.add("Gather", f"embeddings/{name}", weight, index)

    word = look_up("word", encoder.word, "input_ids")
    place_of = place.position
    if encoder.padding is not None:
        token = graph.int32(encoder.padding.token_id)
        is_last = graph.add("Equal", "padding/last", "input_ids", token)
        place_of = graph.add("Where", "padding/position", is_last, graph.int32(0), place_of)
    position = look_up("position", encoder.position, place_of)
    total = graph.total("embeddings/word_position", word, position)
    if len(encoder.token_type):
        token_type = look_up("token_type", encoder.token_type, "token_type_ids")
        total = graph.add("Add", "embeddings/sum", total, graph.widened(token_type))
    x = graph.norm("embeddings/norm", encoder.embedding_norm, total)
    if encoder.projection is None:
        return x
    return graph.linear("embeddings/projection", encoder.projection, x)


def _layer(
    graph: GraphBuilder,
    scope: str,
    layer: Layer,
    encoder: Encoder,
    place: Place,
    x: str,
    chosen: TokenChoice | None,
) -> str:
    rows = chosen(f"{scope}/first", x) if chosen else x
    one_only = chosen is not None
    context = _attention(graph, f"{scope}/attention", layer, place, x, rows, one_only=one_only)
    projected = graph.linear(f"{scope}/attention/output", layer.attention_output, context)
    summed = graph.total(f"{scope}/attention/residual", projected, rows)
    attended = graph.norm(f"{scope}/attention/norm", layer.attention_norm, summed)
    wide = graph.linear(f"{scope}/intermediate", layer.intermediate, attended)
    wide = graph.activation(f"{scope}/intermediate/activation", encoder.activation, wide)
    narrow = graph.linear(f"{scope}/output", layer.output, wide)
    summed = graph.total(f"{scope}/output/residual", narrow, attended)
    return graph.norm(f"{scope}/output/norm", layer.output_norm, summed)


def _attention(
    graph: GraphBuilder,
    scope: str,
    layer: Layer,
    place: Place,
    x: str,
    rows: str,
    *,
    one_only: bool,
) -> str:
    """Write the context vectors of `rows`, in the layout of the tokens or [items, width]."""
    heads, size = layer.heads, layer.head_size

    def project(name: str, linear: Linear, source: str, axes: list[int], *, one: bool) -> str:
        values = graph.linear(f"{scope}/{name}", linear, source)
        if place.pad is not None and not one:
            values = graph.add("Gather", f"{scope}/{name}/padded", values, place.pad)
        shape = graph.integers(0, 1 if one else 0, heads, size)
        values = graph.add("Reshape", f"{scope}/{name}/heads", values, shape)
        return graph.add("Transpose", f"{scope}/{name}/turned", values, perm=axes)

    scale = np.float32(1.0 / math.sqrt(size))
    query = Linear(weight=layer.query.weight * scale, bias=layer.query.bias * scale)
    q = project("query", query, rows, [0, 2, 1, 3], one=one_only)
    k = project("key", layer.key, x, [0, 2, 3, 1], one=False)
    v = project("value", layer.value, x, [0, 2, 1, 3], one=False)
    scores = graph.add("MatMul", f"{scope}/scores", q, k)
    scores = graph.add("Add", f"{scope}/masked", graph.widened(scores), place.mask)
    weights = graph.narrowed("Softmax", f"{scope}/weights", scores, axis=-1)
    context = graph.add("MatMul", f"{scope}/context", weights, v)
    context = graph.add("Transpose", f"{scope}/context/turned", context, perm=[0, 2, 1, 3])
    if not one_only and place.unpad is None:
        return graph.add("Reshape", f"{scope}/merged", context, graph.integers(0, 0, heads * size))
    # The number of items is copied: as -1, a division of sizes, TensorRT could not follow it.
    shape = graph.integers(0 if one_only else -1, heads * size)
    context = graph.add("Reshape", f"{scope}/context/rows", context, shape)
    if one_only:
        return context
    return graph.add("Gather", f"{scope}/context/packed", context, str(place.unpad))
