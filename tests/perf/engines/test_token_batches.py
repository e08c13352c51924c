"""Lengths are title-like, and batches of random tokens have them."""

import statistics
from collections import Counter

import numpy as np
import pytest

from ernie_triton.perf.engines.token_batches import title_batches, title_lengths, token_batch


def test_lengths_are_normal_within_their_bounds_and_repeat_by_seed() -> None:
    lengths = title_lengths(20_000, seed=1)
    assert statistics.mean(lengths) == pytest.approx(24, abs=0.3)
    assert statistics.stdev(lengths) == pytest.approx(7, abs=0.4)
    assert (min(lengths), max(lengths)) >= (8, 45)
    assert max(lengths) <= 60
    assert lengths == title_lengths(20_000, seed=1)


def test_a_batch_has_tokens_of_the_vocabulary_and_the_rows_lengths() -> None:
    batch = token_batch([3, 5], vocabulary_size=10, seed=0)
    assert batch.lengths.tolist() == [3, 5]
    assert batch.input_ids.shape == batch.token_type_ids.shape == (8,)
    assert batch.input_ids.dtype == batch.lengths.dtype == np.int32
    assert 5 <= batch.input_ids.min() <= batch.input_ids.max() < 10


def test_batches_have_the_sizes_that_a_server_had_in_their_proportions() -> None:
    batches = title_batches(Counter({1: 1, 16: 99}), vocabulary_size=100)
    rows = [batch.rows for batch in batches]
    assert rows.count(16) >= 0.95 * len(rows)
    assert set(rows) <= {1, 16}
    assert all(8 <= batch.lengths.min() <= batch.lengths.max() <= 60 for batch in batches)
    assert len({tuple(batch.lengths) for batch in batches}) > 1
