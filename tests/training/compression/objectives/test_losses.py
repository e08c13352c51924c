"""Losses are their formulas, written out in NumPy for one token after the other."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from ernie_triton.training.compression.objectives.losses import (
    answer_loss,
    attention_loss,
    attention_scores,
    relation_heads,
    relation_loss,
    vector_loss,
)

MASK = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
REAL = [(row, token) for row in range(2) for token in range(5) if MASK[row, token]]
T = 2.0


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3


def softmax(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def divergence(student: npt.NDArray[Any], teacher: npt.NDArray[Any]) -> float:
    """Of two distributions, from the teacher's."""
    return float((teacher * (np.log(teacher) - np.log(student))).sum())


def soft(student: npt.NDArray[Any], teacher: npt.NDArray[Any]) -> float:
    return T**2 * divergence(softmax(student / T), softmax(teacher / T))


def loss(task: str, student: Any, teacher: Any) -> float:
    return float(answer_loss(task, student, teacher, MASK, temperature=T))


def answers(seed: int, *shape: int) -> Any:
    return SimpleNamespace(logits=drawn(*shape, seed=seed))


def test_classes_are_compared_at_the_temperature() -> None:
    student, teacher = answers(0, 2, 5), answers(1, 2, 5)
    pairs = zip(student.logits.double().numpy(), teacher.logits.double().numpy(), strict=True)
    expected = np.mean([soft(one, other) for one, other in pairs])
    assert loss("seq_cls", student, teacher) == pytest.approx(expected, rel=1e-5)


def test_each_label_of_several_is_yes_or_no() -> None:
    student, teacher = answers(0, 2, 3), answers(1, 2, 3)
    losses = []
    for one, other in zip(student.logits.flatten(), teacher.logits.flatten(), strict=True):
        both = [1 / (1 + np.exp(-float(side) / T)) for side in (one, other)]
        student_odds, teacher_odds = (np.array([p, 1 - p]) for p in both)
        losses.append(T**2 * divergence(student_odds, teacher_odds))
    assert loss("multi_label", student, teacher) == pytest.approx(np.mean(losses), rel=1e-4)


def test_numbers_are_squared_differences() -> None:
    student, teacher = answers(0, 2, 1), answers(1, 2, 1)
    expected = float(((student.logits - teacher.logits) ** 2).mean())
    assert loss("regression", student, teacher) == pytest.approx(expected)


def test_padding_has_no_label_to_learn() -> None:
    student, teacher = answers(0, 2, 5, 4), answers(1, 2, 5, 4)
    expected = np.mean(
        [
            soft(student.logits[place].double().numpy(), teacher.logits[place].double().numpy())
            for place in REAL
        ]
    )
    assert loss("token_cls", student, teacher) == pytest.approx(expected, rel=1e-5)


def test_an_answer_starts_and_ends_at_real_tokens() -> None:
    both = [
        SimpleNamespace(start_logits=drawn(2, 5, seed=s), end_logits=drawn(2, 5, seed=s + 1))
        for s in (0, 2)
    ]
    losses = [
        soft(
            getattr(both[0], name)[row, :length].double().numpy(),
            getattr(both[1], name)[row, :length].double().numpy(),
        )
        for name in ("start_logits", "end_logits")
        for row, length in ((0, 4), (1, 3))
    ]
    assert loss("qa", *both) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("task", ["seq_cls", "multi_label", "regression", "token_cls"])
def test_equal_answers_cost_nothing(task: str) -> None:
    same = answers(0, *((2, 5, 4) if task == "token_cls" else (2, 4)))
    assert loss(task, same, same) == pytest.approx(0.0, abs=1e-6)


def test_vectors_are_compared_at_real_tokens() -> None:
    student, teacher = drawn(2, 5, 6, seed=0), drawn(2, 5, 6, seed=1)
    expected = np.mean([float(((student[p] - teacher[p]) ** 2).mean()) for p in REAL])
    assert float(vector_loss(student, teacher, MASK)) == pytest.approx(expected, rel=1e-5)


def attention_by_hand(student: torch.Tensor, teacher: torch.Tensor) -> float:
    """Mean over real tokens and heads of the divergence over the real tokens they look at."""
    losses = []
    for row, token in REAL:
        length = int(MASK[row].sum())
        for head in range(student.shape[1]):
            one, other = (
                softmax(side[row, head, token, :length].double().numpy())
                for side in (student, teacher)
            )
            losses.append(divergence(one, other))
    return float(np.mean(losses))


def test_attention_is_compared_head_by_head() -> None:
    student, teacher = drawn(2, 3, 5, 5, seed=0), drawn(2, 3, 5, 5, seed=1)
    expected = attention_by_hand(student, teacher)
    assert float(attention_loss(student, teacher, MASK)) == pytest.approx(expected, rel=1e-4)
    assert float(attention_loss(teacher, teacher, MASK)) == pytest.approx(0.0, abs=1e-6)


def test_scores_are_scaled_products_of_each_head() -> None:
    query, key = drawn(2, 5, 12, seed=0), drawn(2, 5, 12, seed=1)
    found = attention_scores(query, key, 3)
    assert found.shape == (2, 3, 5, 5)
    expected = query[1, 2, 4:8] @ key[1, 4, 4:8] / 2.0
    assert float(found[1, 1, 2, 4]) == pytest.approx(float(expected), rel=1e-5)


def test_relations_compare_any_two_widths() -> None:
    student, teacher = drawn(2, 5, 12, seed=0) / 3, drawn(2, 5, 8, seed=1) / 3
    expected = attention_by_hand(
        attention_scores(student, student, 4), attention_scores(teacher, teacher, 4)
    )
    found = float(relation_loss(student, teacher, MASK, 4))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("student", "teacher", "at_most", "expected"),
    [(768, 768, 12, 12), (576, 768, 12, 12), (312, 768, 12, 12), (1024, 768, 12, 8), (7, 5, 4, 1)],
)
def test_relation_heads_divide_both_sides(
    student: int, teacher: int, at_most: int, expected: int
) -> None:
    assert relation_heads(student, teacher, at_most) == expected
