"""Data files: how lines are written and read back."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from samples.errors import DataError


def write_json_lines(path: Path, records: Iterable[Mapping[str, object]]) -> Path:
    """Write one JSON object a line, UTF-8, characters as they are; returns the path."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def write_json(path: Path, record: Mapping[str, object]) -> Path:
    """Write an indented JSON file, UTF-8, characters as they are; returns the path."""
    text = json.dumps(record, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return path


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the objects of a file with their line numbers, from 1.

    Raises:
        DataError: the file is missing or empty, or a line is not a JSON object.
    """
    number = 0
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{number} is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}:{number} is not a JSON object")
        yield number, record
    if not number:
        raise DataError(f"{path} holds no line; generate it with `python -m samples generate`")


def read_text(path: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        DataError: the file is missing.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; make it with `python -m samples generate`")
    return path.read_text(encoding="utf-8")
