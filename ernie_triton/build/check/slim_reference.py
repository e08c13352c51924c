"""Outputs of a bag-of-words or convolution student, by its formulas in float64, row by row."""

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float64, Int32
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.slim import SlimModel

_UINT32 = 2**32


def slim_outputs(model: SlimModel, row: tuple[Int32, Int32]) -> dict[str, Float64]:
    """`logits` [labels] of one row, as `ernie_triton.build.model.slim` says they are made.

    Args:
        model: the weights.
        row: token ids and token type ids, int32 [tokens] each.
    """
    ids, token_types = (values.tolist() for values in row)
    texts = []
    for text in range(model.token_types):
        places = [
            place
            for place, (token, own) in enumerate(zip(ids, token_types, strict=True))
            if token != model.pad_token_id and (own == text or not model.pair)
        ]
        texts.append(_largest(model, ids, places) if model.windows else _mean(model, ids, places))
    features = texts[0]
    if model.pair:
        first, second = texts
        features = np.concatenate([first, second, abs(first - second), first * second])
    head = model.head
    if head.pooler is not None:
        features = np.maximum(_linear(features, head.pooler), 0.0)
    return {"logits": _linear(features, head.output)}


def _token(model: SlimModel, ids: list[int], place: int) -> int:
    return ids[place] if place < len(ids) else model.pad_token_id


def _mean(model: SlimModel, ids: list[int], places: list[int]) -> Float64:
    total = np.zeros(model.width)
    for place in places:
        total += model.word[ids[place]]
        if len(model.bigram):
            total += model.bigram[_bucket(model, ids[place], _token(model, ids, place + 1))]
    return np.asarray(total / max(len(places), 1))


def _bucket(model: SlimModel, first: int, second: int) -> int:
    buckets = len(model.bigram)
    high = (
        (token * factor % _UINT32) * buckets // _UINT32
        for token, factor in ((first, 2654435761), (second, 2246822519))
    )
    return sum(high) % buckets


def _largest(model: SlimModel, ids: list[int], places: list[int]) -> Float64:
    features = []
    for size, window in enumerate(model.windows, 1):
        values = [
            _linear(
                np.concatenate([model.word[_token(model, ids, at + i)] for i in range(size)]),
                window,
            )
            for at in places or [0]  # a text without tokens that count has its row's first
        ]
        features.append(np.max(values, axis=0))
    return np.asarray(np.maximum(np.concatenate(features), 0.0))


def _linear(x: npt.NDArray[np.floating], linear: Linear) -> Float64:  # type: ignore[type-arg]
    values: Float64 = x.astype(np.float64) @ linear.weight.astype(np.float64) + linear.bias
    return values
