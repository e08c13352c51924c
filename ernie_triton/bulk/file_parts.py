"""Parts of a file of texts, which any process can read without what stands before them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from ernie_triton.client.cli.options import Options
from ernie_triton.client.cli.parts import opened_parquet, parquet_rows
from ernie_triton.client.cli.run import items_of_lines
from ernie_triton.client.items import Item, TextField
from ernie_triton.errors import DatasetError
from ernie_triton.text_files import has_seekable_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """Some rows of a file, one after the other.

    Attributes:
        number: of the part, from 0.
        first: rows before it.
        rows: its rows.
        offset: bytes before its first line; 0 in a Parquet file.
    """

    number: int
    first: int
    rows: int
    offset: int = 0


def file_parts(options: Options, part_rows: int) -> list[FilePart]:
    """Cut the file of the options into parts of so many rows; the last may have fewer.

    Raises:
        DatasetError: the file cannot be read, or its lines can be found only from its start.
    """
    path = str(options.path)
    if options.parquet:
        rows = parquet_rows(path)
        return [
            FilePart(number=number, first=first, rows=min(part_rows, rows - first))
            for number, first in enumerate(range(0, rows, part_rows))
        ]
    try:
        with Path(path).open("rb") as file:
            if not has_seekable_lines(file):
                raise DatasetError(
                    f"{path} is UTF-16, UTF-32, or has CR for line ends; convert it to UTF-8 with "
                    f"LF, or run ernie-triton ask --part-rows"
                )
            return [*_line_parts(file, part_rows)]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; name a file") from error


def _line_parts(file: BinaryIO, part_rows: int) -> Iterator[FilePart]:
    number = first = offset = 0
    while rows := sum(1 for _ in islice(file, part_rows)):
        yield FilePart(number=number, first=first, rows=rows, offset=offset)
        number, first, offset = number + 1, first + rows, file.tell()


@contextmanager
def opened_part(
    part: FilePart, options: Options, inputs: Sequence[str], fields: Sequence[TextField]
) -> Iterator[Iterator[Item]]:
    """The items of a part, numbered as in the whole file.

    Raises:
        DatasetError: the file cannot be read.
    """
    path = str(options.path)
    wanted = range(part.first, part.first + part.rows)
    if options.parquet:
        with opened_parquet(path, fields, wanted) as lines:
            yield _numbered_from(part.first, items_of_lines(lines, inputs, fields, options))
        return
    try:
        with Path(path).open("rb") as file:
            file.seek(part.offset)
            own = islice(file, part.rows)
            yield _numbered_from(part.first, items_of_lines(own, inputs, fields, options))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; name a file") from error


def _numbered_from(first: int, items: Iterator[Item]) -> Iterator[Item]:
    return (replace(item, line=item.line + first) for item in items)
