"""The figures of rankings, worked out by hand and by scikit-learn's definitions."""

from __future__ import annotations

import numpy as np
import pytest

from ernie_triton.client.evaluation.ranks import RankScorer, items_from_rankings
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.rerank import RankedDocument


def scored(positives: int, order: list[int], depth: int = 10) -> dict[str, object]:
    """The report on one query, whose first documents fit and are ranked in this order."""
    scorer = RankScorer(depth)
    record = {"query": "q", "positives": ["p"] * positives, "negatives": []}
    item = Item(line=1, texts=("q",), record=record)
    ranking = tuple(RankedDocument(index=index, score=0.0, truncated=False) for index in order)
    scorer.add(item, ranking)
    return dict(scorer.as_json())


def test_figures_of_two_fitting_documents_at_places_2_and_4() -> None:
    found = scored(2, [2, 0, 3, 1, 4])
    gain, ideal = 1 / np.log2(3) + 1 / np.log2(5), 1 + 1 / np.log2(3)
    assert found["mrr"] == pytest.approx(1 / 2)
    assert found["ndcg"] == pytest.approx(gain / ideal)
    assert found["map"] == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_places_beyond_the_depth_count_for_map_alone() -> None:
    found = scored(2, [2, 3, 0, 1], depth=2)
    assert (found["mrr"], found["ndcg"]) == (0.0, 0.0)
    assert found["map"] == pytest.approx((1 / 3 + 2 / 4) / 2)
    # More fitting documents than places: the best that can be is a full list of them.
    assert scored(3, [0, 1, 2], depth=2)["ndcg"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('{"positives": ["a"]}', "the object has positives, expected a string under query"),
        ('{"query": "q", "positives": []}', "positives is no list of texts with at least one"),
        ('{"query": "q", "positives": [1]}', "positives is no list of texts"),
    ],
)
def test_a_line_that_cannot_be_scored_says_why(line: str, error: str) -> None:
    [item] = items_from_rankings([line.encode()])
    assert item.error.startswith(error)


def test_a_single_text_stands_for_a_list_of_one() -> None:
    [item] = items_from_rankings(['{"query": "q", "positive": "好", "negative": ["x"]}'.encode()])
    assert item.texts == ("q", "好", "x")
