"""When an answer under load is the solo answer, task by task."""

import dataclasses

import numpy as np
import pytest

from ernie_triton.client.tasks.multi_label import LabelSet
from ernie_triton.client.tasks.qa import Answer, Candidate
from ernie_triton.client.tasks.regression import Score
from ernie_triton.client.tasks.rerank import RankedDocument
from ernie_triton.client.tasks.seq_cls import Classification, Label
from ernie_triton.client.tasks.token_cls import Entity
from ernie_triton.perf.running.answers import (
    SCORE_TOLERANCES,
    comparison_of,
    same_answer,
    same_entities,
    same_label,
    same_labels,
    same_ranking,
    same_score,
    same_vector,
)
from ernie_triton.tasks import PRECISIONS, TASKS

TOLERANCE = 0.01


def classification(*scores: tuple[int, float]) -> Classification:
    labels = tuple(Label(name=f"label {id_}", id=id_, score=score) for id_, score in scores)
    return Classification(labels=labels, truncated=False)


@pytest.mark.parametrize(
    ("loaded", "equal"),
    [
        (classification((3, 0.70), (5, 0.20)), True),
        (classification((3, 0.695), (5, 0.20)), True),
        (classification((3, 0.68), (5, 0.20)), False),
        (classification((5, 0.70), (3, 0.20)), False),
        (classification((7, 0.70), (3, 0.20)), False),
    ],
)
def test_a_label_is_equal_within_the_tolerance_of_its_score(
    loaded: Classification, equal: bool
) -> None:
    assert same_label(classification((3, 0.70), (5, 0.20)), loaded, TOLERANCE) is equal


def test_another_label_is_equal_only_where_the_solo_answer_ties() -> None:
    swapped = classification((5, 0.405), (3, 0.400))
    assert same_label(classification((3, 0.405), (5, 0.400)), swapped, TOLERANCE)
    assert not same_label(classification((3, 0.43), (5, 0.400)), swapped, TOLERANCE)


def label_set(selected: set[int], *scores: tuple[int, float]) -> LabelSet:
    labels = tuple(Label(name=str(id_), id=id_, score=score) for id_, score in scores)
    kept = tuple(label for label in labels if label.id in selected)
    return LabelSet(labels=kept, likeliest=labels, truncated=False)


def test_labels_may_only_change_with_a_score_that_moved() -> None:
    solo = label_set({1}, (1, 0.502), (2, 0.3))
    assert same_labels(solo, label_set({1}, (1, 0.505), (2, 0.3)), TOLERANCE)
    assert same_labels(solo, label_set(set(), (1, 0.498), (2, 0.3)), TOLERANCE)
    assert not same_labels(solo, label_set(set(), (1, 0.502), (2, 0.3)), TOLERANCE)
    assert not same_labels(solo, label_set({1}, (1, 0.502), (2, 0.4)), TOLERANCE)
    assert not same_labels(solo, label_set({1}, (1, 0.502), (3, 0.3)), TOLERANCE)


def test_a_score_is_equal_relative_to_its_size() -> None:
    assert same_score(
        Score(value=100.0, truncated=False), Score(value=100.9, truncated=False), TOLERANCE
    )
    assert not same_score(
        Score(value=0.5, truncated=False), Score(value=0.52, truncated=False), TOLERANCE
    )


PERSON = Entity(text="王芳", label="PER", start=0, end=2, score=0.98)
PLACE = Entity(text="北京", label="LOC", start=5, end=7, score=0.90)


def with_score(entity: Entity, score: float) -> Entity:
    return dataclasses.replace(entity, score=score)


@pytest.mark.parametrize(
    ("loaded", "equal"),
    [
        ((PERSON, PLACE), True),
        ((PERSON, with_score(PLACE, 0.905)), True),
        ((PERSON, with_score(PLACE, 0.85)), False),
        ((PERSON,), False),
        ((PERSON, dataclasses.replace(PLACE, end=8)), False),
        ((PERSON, dataclasses.replace(PLACE, label="ORG")), False),
        ((PERSON, PLACE, dataclasses.replace(PLACE, start=9, end=10, score=0.45)), True),
        ((PERSON, PLACE, dataclasses.replace(PLACE, start=9, end=10, score=0.6)), False),
    ],
)
def test_entities_are_equal_but_for_those_that_are_unsure(
    loaded: tuple[Entity, ...], equal: bool
) -> None:
    assert same_entities((PERSON, PLACE), loaded, TOLERANCE) is equal


def answer(*candidates: tuple[int, float]) -> Answer:
    found = tuple(
        Candidate(text="甲", score=score, start=start, end=start + 1) for start, score in candidates
    )
    best = found[0]
    return Answer(
        text=best.text, score=best.score, start=best.start, end=best.end, candidates=found
    )


def test_another_answer_is_equal_only_where_the_solo_candidates_tie() -> None:
    solo = answer((4, 0.50), (9, 0.49), (12, 0.30))
    assert same_answer(solo, answer((4, 0.505)), TOLERANCE)
    assert same_answer(solo, answer((9, 0.495)), TOLERANCE)
    assert not same_answer(solo, answer((4, 0.45)), TOLERANCE)
    assert not same_answer(solo, answer((12, 0.50)), TOLERANCE)
    assert not same_answer(solo, answer((20, 0.50)), TOLERANCE)


def test_vectors_are_equal_part_by_part() -> None:
    solo = np.array([0.6, 0.8], dtype=np.float32)
    assert same_vector(solo, solo + np.float32(0.009), TOLERANCE)
    assert not same_vector(solo, solo + np.array([0, 0.02], dtype=np.float32), TOLERANCE)
    assert not same_vector(solo, solo[:1], TOLERANCE)


def test_every_task_and_precision_is_compared() -> None:
    assert {comparison_of(task).client.task for task in TASKS.values()} == set(TASKS.values())
    assert set(SCORE_TOLERANCES) == {"", *PRECISIONS}
    assert SCORE_TOLERANCES[""] == min(SCORE_TOLERANCES.values())


@pytest.mark.parametrize(
    ("loaded", "equal"),
    [
        ([(2, 0.9), (0, 0.5), (1, 0.495)], True),
        ([(2, 0.9), (1, 0.5), (0, 0.495)], True),
        ([(2, 0.9), (0, 0.5), (1, 0.47)], False),
        ([(2, 0.9), (0, 0.5)], False),
    ],
)
def test_a_ranking_is_equal_where_all_scores_are(
    loaded: list[tuple[int, float]], equal: bool
) -> None:
    solo, other = (
        tuple(RankedDocument(index=index, score=score, truncated=False) for index, score in one)
        for one in ([(2, 0.9), (0, 0.5), (1, 0.495)], loaded)
    )
    assert same_ranking(solo, other, TOLERANCE) is equal
