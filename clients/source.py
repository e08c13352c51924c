"""Lines in: texts of a command line, of a text file or of a JSON lines file, one `Item` each.

The first step of a command line. Everything is read lazily, line by line, so a file of any length
takes the memory of its lines in flight. A line that cannot be used becomes an item with its error,
in its place among the others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ernie_triton.errors import DatasetError

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextField:
    """Where one input of the model comes from.

    Attributes:
        input: its name on the wire, and that of its option on the command line.
        keys: where it stands in a JSON object; the first of them that is there.
        help: what the option's help says.
    """

    input: str
    keys: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line: its texts in the order of the model's inputs, or why it has none.

    Attributes:
        line: counted from 1.
        texts: empty where there is an error.
        error: empty where there are texts.
        record: the line's whole JSON object, for its gold label; empty for plain text.
    """

    line: int
    texts: tuple[str, ...] = ()
    error: str = ""
    record: Mapping[str, object] = field(default_factory=dict)


def items_from_texts(columns: Sequence[Sequence[str]]) -> Iterator[Item]:
    """One item for each text, or pair of texts, of the command line."""
    for line, texts in enumerate(zip(*columns, strict=True), 1):
        yield Item(line=line, texts=texts)


def items_from_txt(lines: Iterable[bytes], inputs: Sequence[str]) -> Iterator[Item]:
    """One item for each line of a text file; a TAB parts the texts where a model takes several."""
    for line, text in _decoded(lines):
        if isinstance(text, Item):
            yield text
            continue
        texts = tuple(text.split("\t")) if len(inputs) > 1 else (text,)
        if len(texts) == len(inputs):
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
        fields: where every input of the task may stand; one that the model does not take must not
            be in the object.
    """
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
            yield _item_from_record(line, record, inputs, fields)
        else:
            yield Item(line=line, error=f"a JSON {type(record).__name__}, expected an object")


@contextmanager
def opened_lines(path: str) -> Iterator[BinaryIO]:
    """The file, or standard input for `-`, as an iterable of lines of bytes.

    Raises:
        DatasetError: it cannot be opened.
    """
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below, where its own errors pass
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; name a file") from error
    with file:
        yield file


def count_lines(path: str) -> int | None:
    """How many lines a regular file has; None for anything that can be read only once."""
    if path == STDIN or not Path(path).is_file():
        return None
    count, last = 0, b"\n"
    with Path(path).open("rb") as file:
        while chunk := file.read(1 << 20):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def _decoded(lines: Iterable[bytes]) -> Iterator[tuple[int, str | Item]]:
    """Number and text of each line without its end, or the item that says why there is no text."""
    for line, raw in enumerate(lines, 1):
        content = raw.removesuffix(b"\n").removesuffix(b"\r")
        try:
            yield line, content.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            reason = f"not UTF-8: {error.reason} at byte {error.start}; convert the file to UTF-8"
            yield line, Item(line=line, error=reason)


def _item_from_record(
    line: int, record: dict[str, object], inputs: Sequence[str], fields: Sequence[TextField]
) -> Item:
    texts: dict[str, str] = {}
    for text_field in fields:
        key = next((key for key in text_field.keys if key in record), None)
        if key is None and text_field.input in inputs:
            found = ", ".join(record) or "no keys"
            expected = " or ".join(text_field.keys)
            return Item(line=line, error=f"the object has {found}, expected {expected}")
        if key is None:
            continue
        if text_field.input not in inputs:
            return Item(line=line, error=f"the model takes no {text_field.input}, found {key}")
        value = record[key]
        if not isinstance(value, str):
            return Item(line=line, error=f"{key} is {value!r:.40}, expected a string")
        texts[text_field.input] = value
    return Item(line=line, texts=tuple(texts[name] for name in inputs), record=record)
