"""Make batches of random tokens with the lengths of news titles."""

import random
from collections.abc import Mapping, Sequence

import numpy as np

from ernie_triton.batch import TokenBatch
from ernie_triton.perf.analyzer.texts import TITLES, length_of

_SPECIAL_TOKENS = 5
"""The first ids of most vocabularies; random rows leave them out."""
_POOL = 256
"""Number of different batches. A server hardly ever meets the same number of tokens twice, and a
runtime is faster where it does."""


def title_lengths(count: int, seed: int) -> list[int]:
    """Draw lengths of titles in tokens, special tokens included."""
    chance = random.Random(seed)
    return [length_of(TITLES, chance) for _ in range(count)]


def token_batch(lengths: Sequence[int], *, vocabulary_size: int, seed: int) -> TokenBatch:
    """Make rows of random tokens.

    Args:
        lengths: of the rows, in tokens.
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


def title_batches(
    sizes: Mapping[int, int], *, vocabulary_size: int, seed: int = 0
) -> list[TokenBatch]:
    """Make batches of title-like lengths, with the batch sizes of a server in their proportions.

    Args:
        sizes: number of runs by rows of a run.
        vocabulary_size: of the model.
        seed: decides sizes, lengths and tokens.
    """
    chance = np.random.default_rng(seed)
    counts = np.array(list(sizes.values()), dtype=np.float64)
    drawn = chance.choice(list(sizes), size=_POOL, p=counts / counts.sum())
    return [
        token_batch(
            title_lengths(int(rows), seed + place),
            vocabulary_size=vocabulary_size,
            seed=seed + place,
        )
        for place, rows in enumerate(drawn)
    ]
