"""Sizes of the ERNIE 3.0 family, as published with the models (PaddleNLP, `ernie-3.0-*-zh`)."""

from collections.abc import Mapping
from dataclasses import dataclass

VOCABULARY_SIZE = 40_000
POSITIONS = 2048
TOKEN_TYPES = 4
TASK_TYPES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Layers, width, attention heads and feed-forward width of an encoder."""

    layers: int
    hidden: int
    heads: int
    feed_forward: int


FAMILY: Mapping[str, Shape] = {
    "base": Shape(layers=12, hidden=768, heads=12, feed_forward=3072),
    "medium": Shape(layers=6, hidden=768, heads=12, feed_forward=3072),
    "mini": Shape(layers=6, hidden=384, heads=12, feed_forward=1536),
    "micro": Shape(layers=4, hidden=384, heads=12, feed_forward=1536),
    "nano": Shape(layers=4, hidden=312, heads=12, feed_forward=1248),
}
