"""Texts as long as news titles, as text and as tokens: what everything is measured with."""

import dataclasses
import random
from collections.abc import Sequence

import numpy as np

from ernie_triton.batch import TokenBatch
from ernie_triton.perf.running.texts import Row, length_of, rows_of
from ernie_triton.perf.text_spec import TextKind, TextSpec

TITLES = TextKind(name="titles", mean=24, deviation=7, shortest=8, longest=60)
LONG = TextKind(name="long", tokens=128)
_ENTRIES = 1024
_SPECIAL_TOKENS = 5
"""The first ids of most vocabularies; random rows leave them out."""


def rows_of_kind(kind: TextKind, inputs: Sequence[str] = ("text",)) -> list[Row]:
    """Rows of text of one kind, the same in every call."""
    return rows_of(TextSpec(kinds=(kind,), entries=_ENTRIES), (kind,), inputs)


def rows_of_kinds(
    kinds: tuple[TextKind, TextKind], share: float, inputs: Sequence[str] = ("text",)
) -> list[Row]:
    """Rows of two kinds, mixed; `share` of them are of the second."""
    most, few = kinds
    shared = (dataclasses.replace(most, share=1 - share), dataclasses.replace(few, share=share))
    return rows_of(TextSpec(kinds=shared, entries=_ENTRIES), shared, inputs)


def title_lengths(count: int, seed: int) -> list[int]:
    """Lengths of titles in tokens, special tokens included."""
    chance = random.Random(seed)
    return [length_of(TITLES, chance) for _ in range(count)]


def token_batch(lengths: Sequence[int], *, vocabulary_size: int, seed: int) -> TokenBatch:
    """Rows of random tokens.

    Args:
        lengths: of the rows.
        vocabulary_size: of the model.
        seed: decides the tokens.
    """
    first = min(_SPECIAL_TOKENS, vocabulary_size - 1)
    drawn = np.random.default_rng(seed)
    ids = drawn.integers(first, vocabulary_size, sum(lengths), dtype=np.int32)
    return TokenBatch(
        input_ids=ids,
        token_type_ids=np.zeros_like(ids),
        lengths=np.array(lengths, dtype=np.int32),
    )
