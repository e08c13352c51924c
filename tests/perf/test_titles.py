"""Title-like lengths, as tokens and as text."""

import statistics

import numpy as np
import pytest

from ernie_triton.perf.titles import (
    LONG,
    TITLES,
    rows_of_kind,
    rows_of_kinds,
    title_lengths,
    token_batch,
)


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


def test_texts_have_as_many_characters_as_tokens_less_the_special_ones() -> None:
    assert {len(text) for (text,) in rows_of_kind(LONG)} == {126}
    mixed = [len(text) for (text,) in rows_of_kinds((TITLES, LONG), 0.05)]
    assert mixed.count(126) / len(mixed) == pytest.approx(0.05, abs=0.01)
