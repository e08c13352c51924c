"""A decision is what a caller acts on, task by task; worked by hand."""

import numpy as np
import pytest

from ernie_triton.build.check.decisions import agreement
from ernie_triton.tasks import TASKS


def rows(name: str, *values: object) -> list[dict[str, np.ndarray]]:  # type: ignore[type-arg]
    return [{name: np.array(value, np.float32)} for value in values]


def counted(task: str, before: object, after: object, *thresholds: float) -> tuple[int, int]:
    found = agreement(TASKS[task], before, after, thresholds)  # type: ignore[arg-type]
    return found.same, found.decisions


def test_a_classifier_decides_for_one_label() -> None:
    before = rows("logits", [1, 2, 0], [3, 2, 1])
    assert counted("seq_cls", before, rows("logits", [0, 9, 8], [1, 2, 1])) == (1, 2)


def test_a_multi_label_model_decides_for_a_set_by_its_thresholds() -> None:
    # The logit of 0.5 is 0, that of 0.9 is 2.197.
    before = rows("logits", [0.1, 2.0], [-1.0, 3.0])
    after = rows("logits", [0.5, 2.1], [-0.1, 2.1])
    assert counted("multi_label", before, after, 0.5, 0.9) == (1, 2)
    assert counted("multi_label", before, after, 0.5, 0.5) == (2, 2)


def test_a_threshold_of_zero_or_one_selects_always_or_never() -> None:
    before, after = rows("logits", [-50.0, 50.0]), rows("logits", [50.0, -50.0])
    assert counted("multi_label", before, after, 0.0, 1.0) == (1, 1)


def test_a_score_decides_which_of_two_texts_comes_first() -> None:
    before = rows("logits", [0.1], [0.2], [0.3])
    assert counted("regression", before, rows("logits", [5.0], [6.0], [7.0])) == (3, 3)
    assert counted("regression", before, rows("logits", [0.2], [0.1], [0.3])) == (2, 3)
    assert counted("regression", before, rows("logits", [0.2], [0.2], [0.3])) == (2, 3)


def test_every_token_has_a_label_of_its_own() -> None:
    before = rows("logits", [[1, 0], [0, 1]], [[1, 0]])
    assert counted("token_cls", before, rows("logits", [[1, 0], [1, 0]], [[2, 0]])) == (2, 3)


def test_an_answer_has_a_start_and_an_end() -> None:
    def spans(start: list[float], end: list[float]) -> dict[str, object]:
        return {"start_logits": np.array(start), "end_logits": np.array(end)}

    before, after = [spans([1, 0], [0, 1])], [spans([1, 0], [1, 0])]
    assert counted("qa", before, after) == (1, 2)


@pytest.mark.parametrize(("angle", "same"), [(0.0, 1), (8.0, 1), (8.2, 0), (90.0, 0)])
def test_vectors_are_the_same_within_eight_degrees(angle: float, same: int) -> None:
    turned = [3 * np.cos(np.radians(angle)), 3 * np.sin(np.radians(angle))]
    assert counted("embedding", rows("vector", [2, 0]), rows("vector", turned)) == (same, 1)


def test_the_share_is_of_all_decisions() -> None:
    found = agreement(
        TASKS["seq_cls"], rows("logits", *[[1, 0]] * 4), rows("logits", *[[1, 0]] * 4)
    )
    assert found.changed_share == 0
    assert agreement(TASKS["seq_cls"], [], []).changed_share == 0
