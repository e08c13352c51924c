"""Scores and cosines against gold numbers."""

from __future__ import annotations

import pytest

from ernie_triton.client.embedding import Similarity
from ernie_triton.client.evaluation.numbers import RegressionScorer, SimilarityScorer
from ernie_triton.client.items import Item
from ernie_triton.client.regression import Score
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
