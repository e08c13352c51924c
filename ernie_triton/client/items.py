"""Read texts from a command line, a text file or a JSON lines file, one `Item` a line.

The first step of a command line. Files are read lazily, line by line, so a file of any length
takes the memory of its lines in flight. A line that cannot be used becomes an item with an error,
in its place among the others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ernie_triton.errors import DatasetError, TextFileError
from ernie_triton.text_files import byte_lines, decode_bytes, not_utf_8

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextField:
    """The place of one input of the model in a JSON object.

    Attributes:
        input: its name on the wire.
        keys: its possible keys in the object; the first one found is used.
        advice: what to do if the object has it and the model does not take it.
        is_list: it is a list of texts, which are the last of a row.
        is_json: any JSON value is taken, as JSON.
    """

    input: str
    keys: tuple[str, ...]
    advice: str = "leave it out"
    is_list: bool = False
    is_json: bool = False


TEXT = TextField(input="text", keys=("text", "sentence", "sentence1"))
TEXT_PAIR = TextField(input="text_pair", keys=("text_pair", "sentence2"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line: its texts in the order of the model's inputs, or an error.

    Attributes:
        line: counted from 1; in a JSON document, the number of the example.
        texts: empty where there is an error.
        error: empty where there are texts.
        record: the example's whole JSON object, for its gold label; empty for plain text.
        id: the example's own id in a document; empty for lines.
    """

    line: int
    texts: tuple[str, ...] = ()
    error: str = ""
    record: Mapping[str, object] = field(default_factory=dict)
    id: str = ""

    @property
    def place(self) -> str:
        """The place of the item in its source, for messages."""
        return f"example {self.id}" if self.id else f"line {self.line}"


def items_from_texts(columns: Sequence[Sequence[str]]) -> Iterator[Item]:
    """One item for each text, or pair of texts, of the command line."""
    for line, texts in enumerate(zip(*columns, strict=True), 1):
        yield Item(line=line, texts=texts)


def items_from_txt(
    lines: Iterable[bytes], inputs: Sequence[str], *, has_list: bool = False
) -> Iterator[Item]:
    """One item for each line of a text file; a TAB separates the texts of a model with several.

    Args:
        lines: the file.
        inputs: the model's inputs.
        has_list: a line has any number of texts for the last of them, from one on.
    """
    for line, text in _decoded(lines):
        if isinstance(text, Item):
            yield text
            continue
        texts = tuple(text.split("\t")) if len(inputs) > 1 else (text,)
        if len(texts) == len(inputs) or (has_list and len(texts) > len(inputs)):
            yield Item(line=line, texts=texts)
        else:
            yield Item(
                line=line,
                error=f"{len(texts)} text(s) on the line, expected {' TAB '.join(inputs)}",
            )


def items_from_jsonl(
    lines: Iterable[bytes], inputs: Sequence[str], fields: Sequence[TextField]
) -> Iterator[Item]:
    """One item for each line of JSON objects.

    Args:
        lines: the file.
        inputs: the model's inputs.
        fields: of every input of the task. An object must not hold an input that the model does
            not take.
    """
    read = partial(_item_from_record, inputs=inputs, fields=fields)
    return items_from_objects(lines, read)


def items_from_objects(
    lines: Iterable[bytes], item_from_record: Callable[[int, dict[str, object]], Item]
) -> Iterator[Item]:
    """One item for each line, made of its number and its JSON object."""
    for line, text in _decoded(lines):
        if isinstance(text, Item):
            yield text
            continue
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Item(line=line, error=f"no JSON: {error}")
            continue
        if isinstance(record, dict):
            yield item_from_record(line, record)
        else:
            yield Item(line=line, error=f"a JSON {type(record).__name__}, expected an object")


@contextmanager
def opened_lines(path: str) -> Iterator[Iterator[bytes]]:
    """The file, or standard input for `-`, as lines of UTF-8 without their ends.

    Raises:
        DatasetError: it cannot be opened, or its encoding is not certain.
    """
    if path == STDIN:
        yield _lines(sys.stdin.buffer, "standard input")
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below, where its own errors pass
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; name a file") from error
    with file:
        yield _lines(file, path)


def _lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        yield from byte_lines(file, name)
    except TextFileError as error:
        raise DatasetError(str(error)) from error


def text_from_file(path: str) -> str:
    """The whole file as one text, its line ends as they are.

    Raises:
        DatasetError: it cannot be read, or its encoding is not certain.
    """
    try:
        return decode_bytes(Path(path).read_bytes(), path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; name a file") from error
    except TextFileError as error:
        raise DatasetError(str(error)) from error


def count_lines(path: str) -> int | None:
    """The number of lines of a regular file; None for a source that can be read only once."""
    if path == STDIN or not Path(path).is_file():
        return None
    count, last = 0, b"\n"
    with Path(path).open("rb") as file:
        while chunk := file.read(1 << 20):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def _decoded(lines: Iterable[bytes]) -> Iterator[tuple[int, str | Item]]:
    """Number and text of each line without its end; an item with an error in place of bad text."""
    for line, raw in enumerate(lines, 1):
        content = raw.removesuffix(b"\n").removesuffix(b"\r")
        try:
            yield line, content.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError:
            yield line, Item(line=line, error=f"the line {not_utf_8(content, 'FILE')}")


def _item_from_record(
    line: int, record: dict[str, object], inputs: Sequence[str], fields: Sequence[TextField]
) -> Item:
    texts: dict[str, tuple[str, ...]] = {}
    for text_field in fields:
        key = next((key for key in text_field.keys if key in record), None)
        if key is None and text_field.input in inputs:
            found = ", ".join(record) or "no keys"
            expected = " or ".join(text_field.keys)
            return Item(line=line, error=f"the object has {found}, expected {expected}")
        if key is None:
            continue
        if text_field.input not in inputs:
            error = f"the model takes no {text_field.input}, found {key}; {text_field.advice}"
            return Item(line=line, error=error)
        value = record[key]
        if text_field.is_json and not isinstance(value, str):
            value = json.dumps(value, ensure_ascii=False)
        values = value if text_field.is_list else [value]
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            expected = "a list of strings" if text_field.is_list else "a string"
            return Item(line=line, error=f"{key} is {value!r:.40}, expected {expected}")
        texts[text_field.input] = tuple(values)
    every = tuple(text for name in inputs for text in texts[name])
    return Item(line=line, texts=every, record=record)
