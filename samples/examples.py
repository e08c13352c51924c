"""Labelled texts as a classifier takes them, read back from data files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samples.errors import DataError
from samples.tasks import SampleTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One text or a pair, and the index of its label in the task's labels."""

    texts: tuple[str, ...]
    label_id: int


def read_examples(path: Path, task: SampleTask) -> list[Example]:
    """Read the labelled texts of a data file in the task's format.

    Raises:
        DataError: the file is missing or empty, or a line is not of the format.
    """
    label_ids = {label.label: index for index, label in enumerate(task.labels)}
    examples = []
    for number, record in _read_records(path):
        missing = [key for key in (*task.text_fields, "label") if key not in record]
        if missing or str(record["label"]) not in label_ids:
            found = f"lacks {missing}" if missing else f"has the label {record['label']!r}"
            raise DataError(f"{path}:{number} {found}; expected a line of the {task.name} format")
        examples.append(
            Example(
                texts=tuple(str(record[key]) for key in task.text_fields),
                label_id=label_ids[str(record["label"])],
            )
        )
    if not examples:
        raise DataError(f"{path} holds no line; generate it with `python -m samples generate`")
    return examples


def _read_records(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    if not path.is_file():
        raise DataError(f"{path} is missing; make it with `python -m samples generate`")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{number} is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}:{number} is not a JSON object")
        yield number, record
