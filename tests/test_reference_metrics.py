"""The second computation of metrics, worked by hand, and held against that of the clients."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.client.evaluation import answers, numbers
from ernie_triton.client.evaluation.entities import EntityScorer
from ernie_triton.client.evaluation.labels import ClassificationScorer, MultiLabelScorer
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.multi_label import LabelSet
from ernie_triton.client.tasks.seq_cls import Classification, Label
from ernie_triton.client.tasks.token_cls import Entity
from tests.reference_metrics import (
    accuracy,
    entities_of,
    entity_f1,
    exact_match,
    macro_f1,
    multi_label_f1,
    overlap_f1,
    pearson,
    spearman,
)

NAMES = ("甲", "乙", "丙")


def test_macro_f1_is_the_mean_over_labels() -> None:
    wanted, given = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    assert accuracy(wanted, given) == 0.5
    # Label 0: 2/3, label 1: 2 * 1 / (1 + 3), label 2: 0.
    assert macro_f1(wanted, given) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_multi_label_figures_of_a_hand_worked_case() -> None:
    wanted = np.array([[True, False], [True, True], [False, False]])
    given = np.array([[True, True], [False, True], [False, False]])
    # Two hits, three wanted, three given; label F1s are 2/3 and 2/3; only the last line is exact.
    figures = multi_label_f1(wanted, given)
    assert figures == pytest.approx({"micro_f1": 2 / 3, "macro_f1": 2 / 3, "exact": 1 / 3})


# Values from seqeval's documentation of its default mode, and the cases that tell modes apart.
@pytest.mark.parametrize(
    ("labels", "entities"),
    [
        ("B-PER I-PER O B-LOC", [("PER", 0, 1), ("LOC", 3, 3)]),
        ("I-PER I-PER O", [("PER", 0, 1)]),
        ("B-LOC I-PER O", [("LOC", 0, 0), ("PER", 1, 1)]),
        ("B-LOC B-LOC I-LOC", [("LOC", 0, 0), ("LOC", 1, 2)]),
        ("O O", []),
    ],
)
def test_entities_are_seqevals(labels: str, entities: list[tuple[str, int, int]]) -> None:
    assert entities_of(labels.split()) == entities


def test_an_entity_of_another_kind_or_length_is_wrong() -> None:
    wanted = [[("PER", 0, 1), ("LOC", 3, 4)], [("ORG", 0, 2)]]
    given = [[("PER", 0, 1), ("LOC", 3, 5)], [("LOC", 0, 2), ("PER", 4, 5)]]
    figures = entity_f1(wanted, given)
    assert figures == pytest.approx({"precision": 1 / 4, "recall": 1 / 3, "f1": 2 / 7})


# The definition for ranks without ties, 1 - 6 sum(d^2) / (n (n^2 - 1)): d is 1, 1, 0, 0.
def test_spearman_of_a_hand_worked_case() -> None:
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([20.0, 10.0, 30.0, 1000.0])
    assert spearman(first, second) == pytest.approx(1 - 6 * 2 / (4 * 15))


# Ranks with ties: 1.5, 1.5, 3 against 1, 2, 3.
def test_equal_values_share_their_mean_rank() -> None:
    ties, plain = np.array([5.0, 5.0, 9.0]), np.array([1.0, 2.0, 3.0])
    expected = np.corrcoef([1.5, 1.5, 3], [1, 2, 3])[0, 1]
    assert spearman(ties, plain) == pytest.approx(expected)


def test_a_constant_correlates_with_nothing() -> None:
    assert pearson(np.ones(3), np.arange(3.0)) == 0


@pytest.mark.parametrize(
    ("wanted", "given", "exact", "f1"),
    [
        ("1998年5月", "1998年5月", 1, 1),
        ("《春风记》", "春风记", 1, 1),
        ("iPhone", "IPHONE", 1, 1),
        # The common run is 北京 of 2 and 3 segments.
        ("北京", "北京市", 0, 2 * 2 / 5),
        # 1998, 年, 5, 月 against 1998, 年: a number is one segment.
        ("1998年5月", "1998年", 0, 2 * 2 / 6),
        # Not the common subsequence 甲丙 but the run 甲 counts.
        ("甲乙丙", "甲丙", 0, 2 * 1 / 5),
        ("北京", "", 0, 0),
        ("", "北京", 0, 0),
        ("", "", 1, 1),
    ],
)
def test_answers_are_compared_as_cmrc2018_does(
    wanted: str, given: str, exact: float, f1: float
) -> None:
    assert exact_match(wanted, given) == exact
    assert overlap_f1(wanted, given) == pytest.approx(f1)


NUMBERS = st.integers(-6, 6).map(lambda value: value / 2)
TEXTS = st.text("北京市a1.，《 ", max_size=8)
BIO = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), max_size=9)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=20))
def test_the_clients_count_labels_alike(pairs: list[tuple[int, int]]) -> None:
    scorer = ClassificationScorer(NAMES)
    for gold, answer in pairs:
        label = Label(id=answer, name=NAMES[answer], score=1.0)
        item = Item(line=1, texts=("",), record={"label": NAMES[gold]})
        scorer.add(item, Classification(labels=(label,), truncated=False))
    golds, found = (np.array(column) for column in zip(*pairs, strict=True))
    assert scorer.accuracy == pytest.approx(accuracy(golds, found))
    assert scorer.macro_f1 == pytest.approx(macro_f1(golds, found))


@given(st.lists(st.tuples(*[st.lists(st.booleans(), min_size=3, max_size=3)] * 2), min_size=1))
def test_the_clients_count_sets_of_labels_alike(pairs: list[tuple[list[bool], list[bool]]]) -> None:
    scorer = MultiLabelScorer(NAMES)
    for gold, answer in pairs:
        record: dict[str, object] = {
            "labels": [n for n, has in zip(NAMES, gold, strict=True) if has]
        }
        chosen = tuple(
            Label(id=index, name=NAMES[index], score=1.0) for index, has in enumerate(answer) if has
        )
        result = LabelSet(labels=chosen, likeliest=(), truncated=False)
        scorer.add(Item(line=1, texts=("",), record=record), result)
    figures = multi_label_f1(*(np.array(column) for column in zip(*pairs, strict=True)))
    assert {name: scorer.as_json()[name] for name in figures} == pytest.approx(figures)


@given(st.lists(st.tuples(BIO, BIO), max_size=6))
def test_the_clients_count_entities_alike(pairs: list[tuple[list[str], list[str]]]) -> None:
    scorer = EntityScorer()
    for gold, answer in pairs:
        record: dict[str, object] = {"tokens": ["字"] * len(gold), "labels": gold}
        found = tuple(
            Entity(text="", label=kind, start=first, end=last + 1, score=1.0)
            for kind, first, last in entities_of(answer)
        )
        scorer.add(Item(line=1, texts=("字" * len(gold),), record=record), found)
    columns: Sequence[Sequence[list[str]]] = list(zip(*pairs, strict=True)) or [[], []]
    figures = entity_f1(*([entities_of(labels) for labels in column] for column in columns))
    overall = scorer.overall
    assert {name: getattr(overall, name) for name in figures} == pytest.approx(figures)


@given(TEXTS.filter(bool), TEXTS)
def test_the_clients_compare_answers_alike(wanted: str, given_: str) -> None:
    if given_:
        assert answers.exact_match(wanted, given_) == exact_match(wanted, given_)
    assert answers.overlap_f1(wanted, given_) == pytest.approx(overlap_f1(wanted, given_))


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=20))
def test_the_clients_correlate_alike(pairs: list[tuple[float, float]]) -> None:
    one, two = (np.array(column) for column in zip(*pairs, strict=True))
    assert numbers.pearson(one, two) == pytest.approx(pearson(one, two), abs=1e-9)
    assert numbers.spearman(one, two) == pytest.approx(spearman(one, two), abs=1e-9)
