"""Label names, from a label file or from a checkpoint's configuration."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ernie_triton.decoders.labels import check_labels
from ernie_triton.errors import CheckpointError, LabelCountError


def read_label_file(path: Path) -> tuple[str, ...]:
    """Read label names in the order of the classifier's output units.

    The file is a JSON list, or has one name per line, or is CLUE's `labels.json`: one JSON object
    per line, whose `label_desc` is the name, or `label` where there is no `label_desc`.

    Raises:
        LabelCountError: the file has none of these formats, or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelCountError(f"the labels {path} cannot be read: {error}") from error
    if text.strip() in ("", "[]"):
        raise LabelCountError(f"{path} holds no label names")
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        if text.lstrip().startswith("["):
            return tuple(check_labels(json.loads(text), str(path)))
        if text.lstrip().startswith("{"):
            rows = [json.loads(line) for line in lines]
            names = [row.get("label_desc") or row["label"] for row in rows]
            return tuple(check_labels(names, str(path)))
    except (ValueError, KeyError, AttributeError) as error:
        raise LabelCountError(
            f"{path} is neither a JSON list, nor CLUE's JSON lines, nor one name per line: {error}"
        ) from error
    return tuple(check_labels([line.strip() for line in lines], str(path)))


def labels_of(values: Mapping[str, Any], path: Path) -> tuple[str, ...] | None:
    """Read the label names in a configuration's `id2label`; None where it has only defaults.

    Raises:
        CheckpointError: its keys are not 0, 1, …, or its names are no labels.
    """
    by_id = values.get("id2label")
    if not isinstance(by_id, Mapping) or not by_id:
        return None
    try:
        ordered = [by_id[key] for key in sorted(by_id, key=int)]
        numbers = sorted(int(key) for key in by_id)
    except ValueError as error:
        raise CheckpointError(f"{path}: id2label has a key that is not a number") from error
    if numbers != list(range(len(numbers))):
        raise CheckpointError(f"{path}: the keys of id2label are not 0 to {len(numbers) - 1}")
    if ordered == [f"LABEL_{index}" for index in numbers]:
        return None
    return tuple(check_labels(ordered, f"{path}: id2label"))
