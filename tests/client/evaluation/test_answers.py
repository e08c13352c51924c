"""Answers are scored as CMRC2018's official script does, against values worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.client.evaluation.answers import (
    AnswerScorer,
    exact_match,
    items_from_squad,
    overlap_f1,
)
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.qa import Answer
from ernie_triton.errors import DatasetError


def answer_of(text: str) -> Answer:
    start, end = (0, len(text)) if text else (-1, -1)
    return Answer(text=text, score=0.5, start=start, end=end, candidates=())


def scored(text: str, **record: object) -> tuple[object, object]:
    scorer = AnswerScorer()
    scorer.add(Item(line=1, id="Q", record=record), answer_of(text))
    scores = scorer.as_json()
    return scores["exact_match"], scores["f1"]


def golds(*texts: str) -> list[dict[str, object]]:
    return [{"text": text, "answer_start": 0} for text in texts]


def test_the_best_gold_answer_counts_for_each_figure() -> None:
    assert scored("北京", answers=golds("北京市", "北京")) == (1.0, 1.0)
    assert scored("北京", answers=golds("首都", "北京市")) == (0.0, pytest.approx(0.8))


@pytest.mark.parametrize(
    "record",
    [
        {"answers": []},
        {"answers": golds("")},
        {"answers": golds("北京"), "is_impossible": True},
        {"is_impossible": True},
    ],
)
def test_a_question_without_an_answer_wants_none(record: dict[str, object]) -> None:
    assert scored("", **record) == (1.0, 1.0)
    assert scored("北京", **record) == (0.0, 0.0)


def test_a_question_with_an_answer_wants_one() -> None:
    assert scored("", answers=golds("北京"), is_impossible=False) == (0.0, 0.0)


@pytest.mark.parametrize("record", [{}, {"answers": "北京"}, {"answers": ["北京"]}])
def test_a_question_without_a_list_of_answers_ends_the_evaluation(
    record: dict[str, object],
) -> None:
    with pytest.raises(DatasetError, match="example Q: no list of answers"):
        scored("", **record)


def test_a_question_without_a_context_is_an_error_of_that_question() -> None:
    document = '\ufeff{"data": [{"paragraphs": [{"qas": [{"question": "京"}]}]}]}'
    [item] = items_from_squad([document.encode()])
    assert item.error.startswith("no question, or its paragraph has no context")
    assert item.place == "example 1"


def test_answers_of_one_kind_need_no_table() -> None:
    scorer = AnswerScorer()
    assert scorer.lines() == ["questions    0", "exact match  0.0000", "F1           0.0000"]
    scorer.add(Item(line=1, record={"answers": golds("甲乙丙")}), answer_of("甲乙"))
    assert scorer.lines() == ["questions    1", "exact match  0.0000", "F1           0.8000"]


@pytest.mark.parametrize(
    ("gold", "answer", "exact", "f1"),
    [
        ("北京", "北京", 1.0, 1.0),
        ("《北京》。", "北京", 1.0, 1.0),
        ("北京市", "北京", 0.0, 0.8),
        # The run 京市, not the three characters that both have: 2 of 4 and 2 of 3.
        ("北京市区", "区京市", 0.0, 4 / 7),
        ("iPhone X", "IPHONE x", 1.0, 1.0),
        # Words are one segment each: 1 of 2 and 1 of 1.
        ("New York", "york", 0.0, 2 / 3),
        ("1,000.5元", "1,000.5", 0.0, 2 / 3),
        ("1991年8月", "1991年", 0.0, 2 / 3),
        ("北京", "上海", 0.0, 0.0),
        ("北京", "", 0.0, 0.0),
        ("。", "！", 1.0, 0.0),
    ],
)
def test_the_figures_are_those_worked_by_hand(
    gold: str, answer: str, exact: float, f1: float
) -> None:
    assert exact_match(gold, answer) == exact
    assert overlap_f1(gold, answer) == pytest.approx(f1)


@given(st.text(alphabet="甲乙丙", max_size=8), st.text(alphabet="甲乙丙", max_size=8))
def test_f1_rests_on_the_longest_common_substring(gold: str, answer: str) -> None:
    pieces = [gold[a:b] for a in range(len(gold)) for b in range(a + 1, len(gold) + 1)]
    common = max((len(piece) for piece in pieces if piece in answer), default=0)
    wanted = 2 * common / (len(gold) + len(answer)) if common else 0.0
    assert overlap_f1(gold, answer) == pytest.approx(wanted)
    assert overlap_f1(answer, gold) == pytest.approx(wanted)
