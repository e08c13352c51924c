"""Micro- and macro-F1, against an indicator array worked by NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.client.evaluation.multi_label import MultiLabelScorer
from ernie_triton.client.items import Item
from ernie_triton.client.multi_label import LabelSet
from ernie_triton.client.seq_cls import Label
from ernie_triton.errors import DatasetError

NAMES = ("体育", "财经", "娱乐")
SETS = st.lists(st.booleans(), min_size=3, max_size=3)


def add(scorer: MultiLabelScorer, golds: object, answers: list[int]) -> None:
    labels = tuple(Label(name="", id=index, score=1.0) for index in answers)
    result = LabelSet(labels=labels, likeliest=(), truncated=False)
    scorer.add(Item(line=7, record={"labels": golds}), result)


@given(st.lists(st.tuples(SETS, SETS), min_size=1, max_size=10))
def test_the_scores_are_those_of_the_indicator_arrays(
    rows: list[tuple[list[bool], list[bool]]],
) -> None:
    scorer = MultiLabelScorer(NAMES)
    for golds, answers in rows:
        names = [name for name, there in zip(NAMES, golds, strict=True) if there]
        add(scorer, names, [index for index, there in enumerate(answers) if there])
    wanted, given_ = np.array([g for g, _ in rows]), np.array([a for _, a in rows])
    right = (wanted & given_).sum(axis=0)
    whole = wanted.sum(axis=0) + given_.sum(axis=0)
    each = [2 * r / w if w else 0.0 for r, w in zip(right, whole, strict=True)]
    assert scorer.micro_f1 == pytest.approx(2 * right.sum() / max(whole.sum(), 1))
    assert scorer.macro_f1 == pytest.approx(np.mean(each))
    assert scorer.exact == pytest.approx((wanted == given_).all(axis=1).mean())
    assert [one.f1 for one in scorer.classes()] == pytest.approx(each)


def test_gold_labels_may_be_ids() -> None:
    scorer = MultiLabelScorer(NAMES)
    add(scorer, [0, "2"], [0, 2])
    assert scorer.exact == 1.0


@pytest.mark.parametrize(
    ("golds", "said"),
    [(None, "line 7: no list of labels"), (["科技"], "line 7: the gold label 科技 is none")],
)
def test_gold_labels_that_are_of_no_use_are_said(golds: object, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        add(MultiLabelScorer(NAMES), golds, [])
