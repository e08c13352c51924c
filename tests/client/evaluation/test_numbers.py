"""Correlations and thresholds, against numbers worked by hand."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.client.evaluation.numbers import (
    RegressionScorer,
    SimilarityScorer,
    best_threshold,
    pearson,
    spearman,
)
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.embedding import Similarity
from ernie_triton.client.tasks.regression import Score
from ernie_triton.errors import DatasetError


def similarity_scorer(*pairs: tuple[object, float]) -> SimilarityScorer:
    scorer = SimilarityScorer()
    for gold, cosine in pairs:
        result = Similarity(cosine=cosine, truncated=False)
        scorer.add(Item(line=7, record={"label": gold}), result)
    return scorer


def test_graded_labels_have_a_correlation_and_no_accuracy() -> None:
    scorer = similarity_scorer((0, 0.1), ("2.5", 0.2), (5, 0.9))
    assert scorer.as_json() == {"lines": 3, "spearman": pytest.approx(1.0)}
    assert scorer.lines() == ["lines     3", "Spearman  1.0000"]


def test_labels_of_0_and_1_have_an_accuracy() -> None:
    scores = similarity_scorer(("1", 0.75), ("0", 0.25), ("1", 0.25)).as_json()
    assert (scores["best_threshold"], scores["best_accuracy"]) == (0.25, pytest.approx(2 / 3))


@pytest.mark.parametrize("gold", [None, "x", True, "nan", float("inf"), 10**400, [1]])
def test_a_gold_that_is_no_number_is_said(gold: object) -> None:
    with pytest.raises(DatasetError, match=r"line 7: label is .*, expected a number"):
        similarity_scorer((gold, 0.5))


def test_a_score_stands_before_a_label() -> None:
    scorer = RegressionScorer()
    for value in (0.25, 0.5):
        record = {"label": -value, "score": value}
        scorer.add(Item(line=1, record=record), Score(value=value, truncated=False))
    assert scorer.as_json()["pearson"] == pytest.approx(1.0)


def test_no_lines_score_nothing() -> None:
    assert SimilarityScorer().as_json() == {"lines": 0, "spearman": 0.0}
    assert RegressionScorer().as_json() == {"lines": 0, "pearson": 0.0, "spearman": 0.0}


# Few values, so that there are ties; halves, so that sums are exact.
VALUES = st.integers(-6, 6).map(lambda value: value / 2)
PAIRS = st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=30)


def ranks(values: Sequence[float]) -> list[float]:
    """The rank of each value by its definition: those below it, and the middle of its equals."""
    return [
        sum(other < value for other in values) + (sum(o == value for o in values) + 1) / 2
        for value in values
    ]


def test_correlations_are_those_worked_by_hand() -> None:
    one, two = np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0])
    assert pearson(one, two) == pytest.approx(8 / (2 * 98 / 3) ** 0.5)
    assert spearman(one, two) == pytest.approx(1.0)
    # Ranks 1 2.5 2.5 against 3 2 1: -1.5 / sqrt(1.5 * 2).
    assert spearman(np.array([0.0, 5.0, 5.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(
        -(0.75**0.5)
    )


@given(PAIRS)
def test_correlations_equal_those_of_the_standard_library(pairs: list[tuple[float, float]]) -> None:
    one, two = (list(column) for column in zip(*pairs, strict=True))
    try:
        wanted = statistics.correlation(one, two)
        wanted_ranked = statistics.correlation(ranks(one), ranks(two))
    except statistics.StatisticsError:
        wanted = wanted_ranked = 0.0
    assert pearson(np.array(one), np.array(two)) == pytest.approx(wanted, abs=1e-12)
    assert spearman(np.array(one), np.array(two)) == pytest.approx(wanted_ranked, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), VALUES), min_size=1, max_size=20))
def test_no_threshold_is_better_than_the_best(pairs: list[tuple[bool, float]]) -> None:
    labels = np.array([label for label, _ in pairs])
    scores = np.array([score for _, score in pairs])
    threshold, accuracy = best_threshold(labels, scores)
    assert accuracy == pytest.approx(((scores >= threshold) == labels).mean())
    others = [*scores, scores.max() + 1.0]
    assert accuracy == pytest.approx(max(((scores >= t) == labels).mean() for t in others))


def test_a_threshold_lies_between_the_scores_it_parts() -> None:
    labels, scores = np.array([True, False, True, False]), np.array([0.75, 0.25, 0.5, 0.0])
    assert best_threshold(labels, scores) == (0.375, 1.0)


def test_nothing_has_no_correlation() -> None:
    none = np.array([])
    assert (pearson(none, none), spearman(none, none)) == (0.0, 0.0)
    assert best_threshold(none.astype(bool), none) == (0.0, 0.0)
