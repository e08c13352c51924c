"""Random weights of an ERNIE sequence classifier, by transformers' names.

The initialisation for training, a deviation of 0.02 everywhere, gives every text nearly the same
answer. With these deviations attention is selective and answers differ between texts, while all
values stay small enough for FP16 and INT8.
"""

import math
from collections.abc import Iterator

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.model_shapes import POSITIONS, TASK_TYPES, TOKEN_TYPES, VOCABULARY_SIZE, Shape

_SMALL = 0.02
_POSITION = 0.01
"""Smaller than words'; the norm after the embeddings makes only the ratio matter."""
_ATTENTION = 1.2
"""Gain of queries and keys; attention scores have a deviation of about its square."""
_CONTENT = 2.0
"""Gain of values and their projection; attention outweighs the residual."""
_LINEAR = 1.0
_CLASSIFIER = 0.5
"""Gain of the classifier; logits have about this size."""


def random_state(shape: Shape, *, labels: int, seed: int) -> dict[str, Float32]:
    """Draw every array of an `ErnieForSequenceClassification`, float32.

    Linear weights are [outputs, inputs] with a deviation of gain / sqrt(inputs), so that vectors
    keep their size from layer to layer at any width.

    Args:
        shape: shape of the encoder.
        labels: outputs of the classifier.
        seed: decides all weights.
    """
    random = np.random.default_rng(seed)
    state: dict[str, Float32] = {}
    for name, rows, deviation in (
        ("word", VOCABULARY_SIZE, _SMALL),
        ("position", POSITIONS, _POSITION),
        ("token_type", TOKEN_TYPES, _POSITION),
        ("task_type", TASK_TYPES, _POSITION),
    ):
        table = _normal(random, (rows, shape.hidden), deviation)
        state[f"ernie.embeddings.{name}_embeddings.weight"] = table
    state |= _norm(random, "ernie.embeddings.LayerNorm", shape.hidden)
    for index in range(shape.layers):
        for name, array in _layer(random, shape):
            state[f"ernie.encoder.layer.{index}.{name}"] = array
    state |= _linear(random, "ernie.pooler.dense", shape.hidden, shape.hidden, _LINEAR)
    return state | _linear(random, "classifier", shape.hidden, labels, _CLASSIFIER)


def _layer(random: np.random.Generator, shape: Shape) -> Iterator[tuple[str, Float32]]:
    hidden, wide = shape.hidden, shape.feed_forward
    for name, inputs, outputs, gain in (
        ("attention.self.query", hidden, hidden, _ATTENTION),
        ("attention.self.key", hidden, hidden, _ATTENTION),
        ("attention.self.value", hidden, hidden, _CONTENT),
        ("attention.output.dense", hidden, hidden, _CONTENT),
        ("intermediate.dense", hidden, wide, _LINEAR),
        ("output.dense", wide, hidden, _LINEAR),
    ):
        yield from _linear(random, name, inputs, outputs, gain).items()
    for name in ("attention.output.LayerNorm", "output.LayerNorm"):
        yield from _norm(random, name, hidden).items()


def _linear(
    random: np.random.Generator, name: str, inputs: int, outputs: int, gain: float
) -> dict[str, Float32]:
    return {
        f"{name}.weight": _normal(random, (outputs, inputs), gain / math.sqrt(inputs)),
        f"{name}.bias": _normal(random, (outputs,), _SMALL),
    }


def _norm(random: np.random.Generator, name: str, width: int) -> dict[str, Float32]:
    return {
        f"{name}.weight": 1 + _normal(random, (width,), _SMALL),
        f"{name}.bias": _normal(random, (width,), _SMALL),
    }


def _normal(random: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Float32:
    values = random.standard_normal(shape, np.float32)
    values *= np.float32(deviation)
    return values
