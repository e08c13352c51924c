"""Accuracy and F1 of labels, against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.client.evaluation.labels import ClassificationScorer, MultiLabelScorer
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.multi_label import LabelSet
from ernie_triton.client.tasks.seq_cls import Classification, Label
from ernie_triton.errors import DatasetError


def add(scorer: ClassificationScorer, answer: int, **record: object) -> None:
    label = Label(name="", id=answer, score=1.0)
    result = Classification(labels=(label,), truncated=False)
    scorer.add(Item(line=7, texts=("x",), record=record), result)


def test_the_scores_are_those_worked_by_hand() -> None:
    # Gold and answer: a a, a a, a b, b b, b c. One d in the model, never seen.
    # a: precision 2/2, recall 2/3, F1 4/5. b: 1/2, 1/2, 1/2. c: 0/1, no gold, 0. Mean 1.3/3.
    scorer = ClassificationScorer(("a", "b", "c", "d"))
    for gold, answer in (("a", 0), ("a", 0), ("a", 1), ("b", 1), ("b", 2)):
        add(scorer, answer, label=gold)
    assert scorer.count == 5
    assert scorer.accuracy == pytest.approx(0.6)
    assert scorer.macro_f1 == pytest.approx(1.3 / 3)
    figures = [(one.precision, one.recall, one.f1) for one in scorer.classes()]
    assert figures == [
        pytest.approx((1.0, 2 / 3, 0.8)),
        pytest.approx((0.5, 0.5, 0.5)),
        pytest.approx((0.0, 0.0, 0.0)),
    ]
    assert [(one.name, one.support) for one in scorer.classes()] == [("a", 3), ("b", 2), ("c", 0)]
    assert scorer.lines()[:3] == ["lines     5", "accuracy  0.6000", "macro-F1  0.4333"]
    assert scorer.as_json()["accuracy"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("labels", "record"),
    [
        (("story", "culture"), {"label": "101", "label_desc": "culture"}),
        (("100", "101"), {"label": "101", "label_desc": "news_culture"}),
        (("100", "101"), {"label": 101}),
        (("different", "same"), {"label": "1"}),
        (("1", "0"), {"label": "0"}),
        (("贷款", "薅羊毛"), {"label": "1", "label_des": "薅羊毛"}),
    ],
    ids=["description", "name", "number as name", "id", "name before id", "IFLYTEK's key"],
)
def test_a_gold_label_is_found_by_description_name_or_id(
    labels: tuple[str, ...], record: dict[str, object]
) -> None:
    scorer = ClassificationScorer(labels)
    add(scorer, 1, **record)
    assert scorer.accuracy == 1.0


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"label": "102", "label_desc": "news_x"}, "line 7: the gold label news_x / 102 is none"),
        ({"label": "2"}, "line 7: the gold label 2 is none of the model's 2 "),
        ({"label": "-1"}, "the gold label -1"),
        ({"sentence": "x"}, "line 7: no label"),
    ],
)
def test_a_gold_label_that_the_model_does_not_know_is_said(
    record: dict[str, object], said: str
) -> None:
    with pytest.raises(DatasetError, match=said):
        add(ClassificationScorer(("a", "b")), 0, **record)


def test_no_lines_score_nothing() -> None:
    scorer = ClassificationScorer(("a",))
    assert (scorer.accuracy, scorer.macro_f1) == (0.0, 0.0)


NAMES = ("体育", "财经", "娱乐")
SETS = st.lists(st.booleans(), min_size=3, max_size=3)


def add_label_set(scorer: MultiLabelScorer, golds: object, answers: list[int]) -> None:
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
        add_label_set(scorer, names, [index for index, there in enumerate(answers) if there])
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
    add_label_set(scorer, [0, "2"], [0, 2])
    assert scorer.exact == 1.0


@pytest.mark.parametrize(
    ("golds", "said"),
    [(None, "line 7: no list of labels"), (["科技"], "line 7: the gold label 科技 is none")],
)
def test_gold_labels_that_are_of_no_use_are_said(golds: object, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        add_label_set(MultiLabelScorer(NAMES), golds, [])
