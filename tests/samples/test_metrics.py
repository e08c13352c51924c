import numpy as np
import pytest

from samples.answers import exact_match, overlap_f1
from samples.entities import entities_of
from samples.metrics import (
    accuracy,
    best_threshold,
    entity_f1,
    macro_f1,
    multi_label_f1,
    pearson,
    spearman,
)


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


def test_threshold_parts_the_labels_best() -> None:
    scores = np.array([0.9, 0.1, 0.5, 0.7, 0.4, 0.2, 0.45])
    labels = np.array([True, False, False, True, True, False, False])
    assert best_threshold(labels, scores) == pytest.approx(0.6)


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
