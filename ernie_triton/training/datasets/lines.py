"""Files with a JSON object per line, and checked access to its values."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import DatasetError, TextFileError
from ernie_triton.text_files import byte_lines, not_utf_8

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The JSON object of one line."""

    path: Path
    line: int
    values: Mapping[str, object]

    def error(self, message: str) -> DatasetError:
        """Make an error that begins with file and line."""
        return DatasetError(f"{self.path}:{self.line}: {message}")

    def has(self, *keys: str) -> bool:
        """Tell if the object has all of these keys."""
        return all(key in self.values for key in keys)

    def key(self, *keys: str) -> str:
        """Return the first of these keys that the object has.

        Raises:
            DatasetError: it has none of them.
        """
        for key in keys:
            if key in self.values:
                return key
        found = ", ".join(self.values) or "no keys"
        raise self.error(f"the object has {found}; expected {' or '.join(keys)}")

    def text(self, *keys: str) -> str:
        """Return the string under the first of these keys.

        Raises:
            DatasetError: there is none.
        """
        key = self.key(*keys)
        value = self.values[key]
        if not isinstance(value, str):
            raise self.error(f"{key} is {shown(value)}; expected a string")
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """Return the list of strings under a key.

        Raises:
            DatasetError: there is none.
        """
        value = self.values[self.key(key)]
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.error(f"{key} is {shown(value)}; expected a list of strings")
        return tuple(value)

    def number(self, *keys: str) -> float:
        """Return the finite number under the first of these keys; strings of digits count.

        Raises:
            DatasetError: there is none.
        """
        key = self.key(*keys)
        value = self.values[key]
        try:
            number = float(value) if isinstance(value, int | float | str) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not math.isfinite(number):
            raise self.error(f"{key} is {shown(value)}; expected a number")
        return number

    def inner(self, key: str) -> "Record":
        """Return the object under a key.

        Raises:
            DatasetError: there is none.
        """
        value = self.values[self.key(key)]
        if not isinstance(value, dict):
            raise self.error(f"{key} is {shown(value)}; expected an object")
        return Record(path=self.path, line=self.line, values=value)


def read_records(path: Path) -> Iterator[Record]:
    """Read the object of each line.

    Raises:
        DatasetError: the file cannot be read or is empty, or a line is not a JSON object.
    """
    for line, text in read_lines(path):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path}:{line}: no JSON: {error}; correct the line") from error
        if not isinstance(values, dict):
            kind = type(values).__name__
            raise DatasetError(f"{path}:{line}: a JSON {kind}; expected an object")
        yield Record(path=path, line=line, values=values)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read number and text of each line; only the end of the file may have empty lines.

    Raises:
        DatasetError: the file cannot be read, or the file or a line is empty.
    """
    empty = count = 0
    for count, text in numbered_lines(path):
        if not text.strip():
            empty = empty or count
            continue
        if empty:
            raise DatasetError(f"{path}:{empty}: the line is empty; remove it, or correct the file")
        yield count, text
    if not count or empty == 1:
        raise DatasetError(f"{path}:1: the file is empty; expected examples")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read number and text of each line, without the line break.

    Raises:
        DatasetError: the file cannot be read, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for line, content in enumerate(byte_lines(file, str(path)), 1):
                try:
                    yield line, content.decode("utf-8")
                except UnicodeDecodeError as error:
                    reason = not_utf_8(content, str(path))
                    raise DatasetError(f"{path}:{line}: {reason}") from error
    except TextFileError as error:
        raise DatasetError(str(error)) from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}; name a file") from error


def shown(value: object) -> str:
    """Format a JSON value for a message, shortened."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def listed(names: Sequence[str], count: int = 20) -> str:
    """Format the first names for a message."""
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")
