"""Labels and problem of a configuration, in every form that was ever written."""

from pathlib import Path
from typing import Any

import pytest

from ernie_triton.build.load.config_labels import label_count_of, labels_of, problem_of
from ernie_triton.errors import ErnieTritonError

PATH = Path("config.json")
NAMES = ("体育", "财经", "科技")
BY_ID = {str(number): name for number, name in enumerate(NAMES)}
BY_NAME = {name: number for number, name in enumerate(NAMES)}
DEFAULT_BY_ID = {str(number): f"LABEL_{number}" for number in range(3)}
DEFAULT_BY_NAME = {f"LABEL_{number}": number for number in range(3)}


@pytest.mark.parametrize(
    "values",
    [
        {"id2label": BY_ID},
        {"id2label": dict(reversed(BY_ID.items()))},
        {"id2label": dict(enumerate(NAMES))},
        {"id2label": list(NAMES)},
        {"label2id": BY_NAME},
        {"label2id": {name: str(number) for name, number in BY_NAME.items()}},
        {"id2label": BY_ID, "label2id": BY_NAME, "num_labels": 3},
        {"id2label": BY_ID, "label2id": DEFAULT_BY_NAME},
        {"id2label": DEFAULT_BY_ID, "label2id": BY_NAME},
    ],
    ids=str,
)
def test_names_are_read_from_every_form(values: dict[str, Any]) -> None:
    assert labels_of(values, PATH) == NAMES
    assert label_count_of(values, PATH) == 3


@pytest.mark.parametrize(
    ("values", "scores"),
    [
        ({}, None),
        ({"id2label": None, "label2id": {}}, None),
        ({"id2label": DEFAULT_BY_ID}, 3),
        ({"num_labels": 4}, 4),
        ({"num_classes": 15}, 15),
    ],
    ids=str,
)
def test_without_names_there_is_only_a_number(values: dict[str, Any], scores: int | None) -> None:
    assert labels_of(values, PATH) is None
    assert label_count_of(values, PATH) == scores


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"id2label": {"0": "a", "2": "b"}}, "keys of id2label are not 0 to 1"),
        ({"id2label": {"a": 0, "b": 1}}, "id2label has a key that is not a number"),
        ({"label2id": {"a": 0, "b": 0}}, "keys of label2id are not 0 to 1"),
        ({"label2id": {"a": "x"}}, "label2id has a key that is not a number"),
        ({"id2label": {"0": "a", "1": "a"}}, "names a more than once"),
        ({"id2label": {"0": 0, "1": 1}}, "expected a list of label names"),
        ({"id2label": BY_ID, "label2id": {"a": 0}}, "id2label names .* but label2id a; make them"),
    ],
    ids=str,
)
def test_names_that_cannot_be_right_are_refused(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(ErnieTritonError, match=fault) as caught:
        labels_of(values, PATH)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"num_labels": 3}, ""),
        ({"num_labels": 1}, "regression"),
        ({"label2id": {"score": 0}}, "regression"),
        ({"problem_type": "regression", "num_labels": 1}, "regression"),
        (
            {"problem_type": "multi_label_classification", "num_labels": 1},
            "multi_label_classification",
        ),
        ({"problem_type": "single_label_classification"}, "single_label_classification"),
    ],
    ids=str,
)
def test_the_problem_is_said_or_regression_of_one_label(
    values: dict[str, Any], problem: str
) -> None:
    assert problem_of(values, PATH) == problem


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"problem_type": "ordinal"}, "problem_type is 'ordinal'; expected single_label"),
        (
            {"problem_type": "single_label_classification", "num_labels": 1},
            "one label, whose probability is always 1",
        ),
        ({"num_labels": 0}, "num_labels is 0; expected a number of labels"),
    ],
    ids=str,
)
def test_a_problem_or_number_that_cannot_be_is_refused(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(ErnieTritonError, match=fault):
        problem_of(values, PATH)
