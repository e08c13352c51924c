"""Self-attention of a graph: its query, key and value layers, its heads, and its mask.

The nodes show only which value leads to which. Element indices, sent through the reshapes and
transposes, show that heads are split and merged as usual.
"""

import math
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.linear import AppliedLinear, find_linear, read_linear
from ernie_triton.build.load.onnx_graph.mask import hidden_pad_ids, proportion, scores_scale
from ernie_triton.build.load.onnx_graph.operators import Node
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.model.encoder import Linear
from ernie_triton.errors import UnrecognisedGraphError

_LAYOUT = frozenset(
    ("Cast", "Div", "Expand", "Flatten", "Mul", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
)
_MASKING = _LAYOUT | {"Add", "Sub", "Where"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attention:
    """The projections of one layer, their inputs, and the pad ids that the mask hides.

    `query_source` is `source`, or a selection of it where only some tokens have queries.
    """

    query: Linear
    key: Linear
    value: Linear
    heads: int
    query_source: str
    source: str
    pad_ids: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Products:
    """The two products of attention, and the softmax between them with its input `before`."""

    scores: Node
    before: str
    softmax: str
    context: Node


def read_attention(reading: Reading, name: str) -> Attention:
    """Read the self-attention whose merged heads are a value.

    A scale of the scores other than 1 / sqrt(head size) is moved into the query's weights.

    Raises:
        UnrecognisedGraphError: it is no masked softmax over scaled dot products.
    """
    products = _find_products(reading, name)
    scores, context = products.scores, products.context
    heads = _check_merged(reading, name, context)
    _check_unchanged(reading, products)
    query, query_scale = _read_split(reading, scores.inputs[0], heads, (0, 2, 1, 3))
    key, key_scale = _read_split(reading, scores.inputs[1], heads, (0, 2, 3, 1))
    value, value_scale = _read_split(reading, context.inputs[1], heads, (0, 2, 1, 3))
    if key.source != value.source or value_scale != 1:
        raise UnrecognisedGraphError(
            f"the {context}: its values are scaled by {value_scale:.6g}, or projected from another "
            f"source than the keys of the {scores}; expected self-attention"
        )
    scale = query_scale * key_scale * scores_scale(reading, scores.outputs[0], products.before)
    return Attention(
        query=_rescaled(query.linear, scale * math.sqrt(query.linear.outputs // heads)),
        key=key.linear,
        value=value.linear,
        heads=heads,
        query_source=query.source,
        source=key.source,
        pad_ids=hidden_pad_ids(reading, scores.outputs[0], products.before),
    )


def _find_products(reading: Reading, name: str) -> _Products:
    context = _product_before(reading, name, _LAYOUT, "the attention's context")
    softmax = reading.root(
        context.inputs[0],
        _MASKING,
        lambda value: _is_softmax(reading, value),
        "the attention probabilities",
    )
    before = reading.producer(softmax).inputs[0]
    scores = _product_before(reading, before, _MASKING, "the attention scores")
    return _Products(scores=scores, before=before, softmax=softmax, context=context)


def _product_before(reading: Reading, name: str, through: frozenset[str], expected: str) -> Node:
    """Find the earlier product of two variable values, which is no linear layer."""

    def is_product(value: str) -> bool:
        node = reading.producer(value)
        return node.op == "MatMul" and not any(reading.flow.is_constant(i) for i in node.inputs)

    return reading.producer(reading.root(name, through, is_product, expected))


def _is_softmax(reading: Reading, name: str) -> bool:
    node = reading.producer(name)
    if node.op != "Softmax":
        return False
    rank = reading.value(name).ndim
    return bool(node.attribute("axis", -1) % rank == rank - 1)


def _rescaled(query: Linear, factor: float) -> Linear:
    if math.isclose(factor, 1, rel_tol=1e-5):
        return query
    scale = np.float32(factor)
    return Linear(weight=query.weight * scale, bias=query.bias * scale)


def _indices(shape: tuple[int, ...]) -> Array:
    """Number the elements of a shape from 1."""
    return np.arange(1, math.prod(shape) + 1, dtype=np.float32).reshape(shape)


def _check_merged(reading: Reading, name: str, context: Node) -> int:
    """Check that the heads are concatenated in order; return their number."""
    made = context.outputs[0]
    given = _indices(reading.value(made).shape)
    merged = reading.batches.plain.value_given(name, {made: given})
    texts, queries, head_size = reading.batches.texts, *(1, 1, *given.shape)[-2:]
    if given.ndim > 2 and given.size % (texts * queries * head_size) == 0:
        split = given.reshape(texts, -1, queries, head_size)
        if np.array_equal(merged.reshape(-1), split.transpose(0, 2, 1, 3).reshape(-1)):
            return int(split.shape[1])
    raise UnrecognisedGraphError(
        f"the {context} makes {list(given.shape)} for {texts} texts of {reading.batches.tokens} "
        "tokens, and what follows does not merge its heads; expected [texts, heads, tokens, head "
        "size] and then [texts, tokens, heads * head size]"
    )


def _read_split(
    reading: Reading, split: str, heads: int, order: tuple[int, ...]
) -> tuple[AppliedLinear, float]:
    """Read a projection that is split into heads in an axis order, and its factor."""
    projection = reading.root(
        split,
        _LAYOUT,
        lambda value: find_linear(reading, value) is not None,
        "a projection to attention heads",
    )
    given = _indices(reading.value(projection).shape)
    found = reading.batches.plain.value_given(split, {projection: given}).reshape(-1)
    texts, width = reading.batches.texts, given.shape[-1]
    if width % heads == 0 and found.size == given.size:
        expected = given.reshape(texts, -1, heads, width // heads).transpose(order).reshape(-1)
        factor = proportion(found, expected)
        if factor is not None:
            return read_linear(reading, projection), factor
    raise UnrecognisedGraphError(
        f"the {reading.producer(projection)}: its {width} features are not split into {heads} "
        "heads as expected"
    )


def _check_unchanged(reading: Reading, products: _Products) -> None:
    given = np.random.default_rng(0).random(reading.value(products.softmax).shape, np.float32)
    used = products.context.inputs[0]
    found = reading.batches.plain.value_given(used, {products.softmax: given})
    if not np.array_equal(found.reshape(-1), given.reshape(-1)):
        raise UnrecognisedGraphError(
            f"the {reading.producer(products.softmax)}: attention probabilities are changed before "
            f"the {products.context}; expected them as they are"
        )
