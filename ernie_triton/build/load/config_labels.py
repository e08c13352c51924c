"""Labels and problem of a classifier, from its configuration, in every form that was ever written.

`id2label` is an object by number or a list, `label2id` an object by name, `num_labels` (before
transformers 3, PaddleNLP from 2.5 on) or `num_classes` (PaddleNLP before) a number.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ernie_triton.decoders.labels import check_labels
from ernie_triton.errors import CheckpointError

_PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")


def labels_of(values: Mapping[str, Any], path: Path) -> tuple[str, ...] | None:
    """Read the label names of a configuration; None where it has only defaults.

    Raises:
        CheckpointError: its numbers are not 0, 1, …, or `id2label` and `label2id` differ.
        LabelCountError: its names are no labels.
    """
    by_id, by_name = _names_by_id(values, path), _names_by_name(values, path)
    if by_id is None or by_name is None or by_id == by_name:
        return by_id or by_name
    raise CheckpointError(
        f"{path}: id2label names {', '.join(by_id)} but label2id {', '.join(by_name)}; make them "
        f"agree, or remove the wrong one"
    )


def label_count_of(values: Mapping[str, Any], path: Path) -> int | None:
    """Return the number of labels of a configuration; None where it says none.

    Raises:
        CheckpointError: it is no number of at least 1.
    """
    for key in ("id2label", "label2id"):
        names = values.get(key)
        if isinstance(names, Mapping | list) and names:
            return len(names)
    for key in ("num_labels", "num_classes"):
        number = values.get(key)
        if number is None:
            continue
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise CheckpointError(f"{path}: {key} is {number!r}; expected a number of labels")
        return number
    return None


def problem_of(values: Mapping[str, Any], path: Path) -> str:
    """Return transformers' `problem_type`; `regression` for a configuration with one label.

    Raises:
        CheckpointError: it is unknown, or asks for one of a single label.
    """
    problem = values.get("problem_type")
    scores = label_count_of(values, path)
    if problem is None:
        return "regression" if scores == 1 else ""
    if problem not in _PROBLEMS:
        raise CheckpointError(
            f"{path}: problem_type is {problem!r}; expected {', '.join(_PROBLEMS)}"
        )
    if problem == _PROBLEMS[0] and scores == 1:
        raise CheckpointError(
            f"{path}: problem_type is {problem!r} with one label, whose probability is always 1; "
            f"put 'regression' or 'multi_label_classification' there"
        )
    return str(problem)


def _names_by_id(values: Mapping[str, Any], path: Path) -> tuple[str, ...] | None:
    by_id = values.get("id2label")
    if isinstance(by_id, list):
        by_id = dict(enumerate(by_id))
    if not isinstance(by_id, Mapping) or not by_id:
        return None
    return _in_order(list(by_id.items()), "id2label", path)


def _names_by_name(values: Mapping[str, Any], path: Path) -> tuple[str, ...] | None:
    by_name = values.get("label2id")
    if isinstance(by_name, list):
        by_name = {name: index for index, name in enumerate(by_name)}
    if not isinstance(by_name, Mapping) or not by_name:
        return None
    return _in_order([(number, name) for name, number in by_name.items()], "label2id", path)


def _in_order(pairs: list[tuple[Any, Any]], key: str, path: Path) -> tuple[str, ...] | None:
    """Return the names in the order of their numbers; None for `LABEL_0`, `LABEL_1`, …."""
    try:
        by_number = {int(number): name for number, name in pairs if not isinstance(number, bool)}
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {key} has a key that is not a number") from error
    if sorted(by_number) != list(range(len(pairs))):
        raise CheckpointError(f"{path}: the keys of {key} are not 0 to {len(pairs) - 1}")
    names = [by_number[number] for number in range(len(pairs))]
    if names == [f"LABEL_{number}" for number in range(len(names))]:
        return None
    return tuple(check_labels(names, f"{path}: {key}"))
