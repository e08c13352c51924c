"""Label names from a label file."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ernie_triton.decoders.labels import check_labels
from ernie_triton.errors import LabelCountError, TextFileError
from ernie_triton.text_files import lines_of, read_text_file

NAME_KEYS = ("label_desc", "label_des", "name", "label_name")
"""Keys of a label's name in CLUE's and others' objects; `label` is its name where none is there."""
_NESTED = ("id2label", "label2id", "labels", "label_list", "label_map")
_LOOKS_LIKE_JSON = re.compile(r'\{|\[\s*($|["\[{\d\]])')
_EXPECTED = (
    "a JSON list, a JSON object of names and numbers, CLUE's JSON lines, or one name per line"
)


def read_label_file(path: Path) -> tuple[str, ...]:
    """Read label names in the order of the classifier's output units.

    The file is a JSON list, a JSON object `{id: name}` or `{name: id}`, has one name per line,
    numbers and names with a tab between, or is CLUE's `labels.json`: one JSON object per line,
    whose `label_desc` is the name, or `label` where there is no `label_desc`.

    Raises:
        LabelCountError: the file has none of these formats, or is empty.
    """
    try:
        text = read_text_file(path).strip()
    except TextFileError as error:
        raise LabelCountError(f"the label file {error}") from error
    if text in ("", "[]", "{}"):
        raise LabelCountError(f"{path} holds no label names")
    lines = [line.strip() for line in lines_of(text) if line.strip()]
    try:
        names = _names_in_json(text, lines) if looks_like_json(text) else _names_in_lines(lines)
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise LabelCountError(f"{path} is not {_EXPECTED}: {error}") from error
    return tuple(check_labels(names, str(path)))


def looks_like_json(text: str) -> bool:
    """Return True for a text that can only be JSON; `[CLS]` and `[X]` are names."""
    return _LOOKS_LIKE_JSON.match(text) is not None


def names_by_number(values: Mapping[str, Any]) -> list[str]:
    """The names of an object `{id: name}` or `{name: id}`, in the order of the numbers.

    Raises:
        ValueError: it is neither, or its numbers are not 0, 1, ….
    """
    for key in _NESTED:
        inner = values.get(key)
        if isinstance(inner, Mapping):
            return names_by_number(inner)
        if isinstance(inner, list):
            return inner
    if all(_is_number(value) for value in values.values()) and not (
        all(map(_is_number, values)) and all(isinstance(v, str) for v in values.values())
    ):
        pairs = [(int(value), name) for name, value in values.items()]
    elif all(map(_is_number, values)) and all(isinstance(v, str) for v in values.values()):
        pairs = [(int(key), name) for key, name in values.items()]
    else:
        raise ValueError("the object has neither numbers for all names nor names for all numbers")
    pairs.sort()
    numbers = [number for number, _ in pairs]
    if numbers != list(range(len(numbers))):
        raise ValueError(f"the numbers of the labels are {numbers}; expected 0 to {len(pairs) - 1}")
    return [name for _, name in pairs]


def _names_in_json(text: str, lines: Sequence[str]) -> list[str]:
    try:
        values = json.loads(text)
    except ValueError:
        # CLUE's lines, each an object of its own.
        return [_name_of_row(json.loads(line)) for line in lines]
    if isinstance(values, list):
        return [_name_of_row(one) if isinstance(one, dict) else one for one in values]
    is_row = any(key in values for key in NAME_KEYS) or list(values) == ["label"]
    return [_name_of_row(values)] if is_row else names_by_number(values)


def _name_of_row(row: Mapping[str, Any]) -> str:
    name: str = next((row[key] for key in NAME_KEYS if row.get(key)), None) or row["label"]
    return name


def _names_in_lines(lines: Sequence[str]) -> list[str]:
    for line in lines:
        if looks_like_json(line):
            raise ValueError(f"the line {line[:60]!r} looks like JSON among plain names")
    columns = [line.split("\t") for line in lines]
    if not any(len(row) > 1 for row in columns):
        return list(lines)
    for number, name in ((0, 1), (1, 0)):
        if all(len(row) == 2 and _is_number(row[number]) for row in columns):
            return names_by_number({row[name].strip(): row[number] for row in columns})
    raise ValueError("a line has a tab, and not a number beside the name on every line")


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().isdecimal()
    return isinstance(value, int) and not isinstance(value, bool)
