"""Write results as JSON lines, as a table or as vectors; a file appears when it is complete.

The last step of a command line, after `stream`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Generic, Protocol, TextIO, TypeVar

import numpy as np

from ernie_triton.client.cli.stream import Outcome
from ernie_triton.client.tasks.embedding import Embedding
from ernie_triton.errors import DatasetError
from ernie_triton.text_table import Table, clipped

_R = TypeVar("_R")

_TEXT_WIDTH = 60


class Printer(Protocol[_R]):
    """Makes lines of outcomes, block after block."""

    def lines(self, outcomes: Sequence[Outcome[_R]]) -> list[str]:
        """The lines of the next outcomes, without ends."""


class Sink(Protocol[_R]):
    """Takes outcomes, block after block."""

    def write(self, outcomes: Sequence[Outcome[_R]]) -> None:
        """Keep or show the next outcomes."""


class TextSink(Generic[_R]):
    """Writes a printer's lines into a file or to standard output."""

    def __init__(self, file: TextIO, printer: Printer[_R]) -> None:
        self._file = file
        self._printer = printer

    def write(self, outcomes: Sequence[Outcome[_R]]) -> None:
        """Write the lines of the next outcomes."""
        self._file.writelines(f"{line}\n" for line in self._printer.lines(outcomes))


class JsonPrinter(Generic[_R]):
    """One JSON object for each line: its number, and its result or its error."""

    def __init__(self, json_from_result: Callable[[_R], Mapping[str, object]]) -> None:
        self._json_from_result = json_from_result

    def lines(self, outcomes: Sequence[Outcome[_R]]) -> list[str]:
        """The lines of the next outcomes, without ends."""
        return [json.dumps(self._record(outcome), ensure_ascii=False) for outcome in outcomes]

    def _record(self, outcome: Outcome[_R]) -> dict[str, object]:
        record: dict[str, object] = {"line": outcome.item.line}
        if outcome.item.id:
            record["id"] = outcome.item.id
        if outcome.result is None:
            return {**record, "error": outcome.error}
        return {**record, **self._json_from_result(outcome.result)}


class TablePrinter(Generic[_R]):
    """An aligned table: the line's number, the task's cells, the texts.

    A result may take several rows of the table; its number and texts are in the first.
    """

    def __init__(
        self,
        columns: Sequence[str],
        inputs: Sequence[str],
        cells_from_result: Callable[[_R], Sequence[Sequence[str]]],
    ) -> None:
        self._columns = len(columns)
        self._inputs = len(inputs)
        self._table = Table(("line", *columns, *inputs))
        self._cells_from_result = cells_from_result

    def lines(self, outcomes: Sequence[Outcome[_R]]) -> list[str]:
        """The lines of the next outcomes, without ends."""
        return self._table.lines([row for outcome in outcomes for row in self._rows(outcome)])

    def _rows(self, outcome: Outcome[_R]) -> Iterator[tuple[str, ...]]:
        if outcome.result is None:
            cells: Sequence[Sequence[str]] = [("error",) + ("",) * (self._columns - 1)]
        else:
            cells = self._cells_from_result(outcome.result)
        shown = outcome.item.texts[: self._inputs]
        texts = [clipped(text, _TEXT_WIDTH // self._inputs) for text in shown]
        texts += [""] * (self._inputs - len(texts))
        number = str(outcome.item.line)
        for row in cells:
            yield (number, *row, *texts)
            number, texts = "", [""] * self._inputs


@contextmanager
def opened_text_sink(path: Path | None, printer: Printer[_R]) -> Iterator[TextSink[_R]]:
    """A sink on standard output, or on a file as `opened_output` has it."""
    with opened_output(path) as file:
        yield TextSink(file, printer)


@contextmanager
def opened_output(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that takes its name when the block ends without an error.

    Until then the lines are in `partial_path`; after an error they stay there.

    Raises:
        DatasetError: the file cannot be written.
    """
    if path is None:
        yield sys.stdout
        return
    # A device or a pipe is written in place: renaming over it would replace it.
    in_place = path.exists() and not path.is_file()
    written = path if in_place else partial_path(path)
    try:
        file = written.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise DatasetError(
            f"{written} cannot be written: {error.strerror}; name a file in a folder of yours"
        ) from error
    with file:
        yield file
    if not in_place:
        written.replace(path)


class NpySink:
    """Appends a row of numbers for each outcome.

    An outcome without a vector has a row of NaN, or of zeros where the numbers are integers.
    """

    def __init__(self, file: BinaryIO, width: int, dtype: str = "<f4") -> None:
        self._file = file
        self._width = width
        self._dtype = dtype
        self._rows = 0
        self.write_header()

    def write(self, outcomes: Sequence[Outcome[Embedding]]) -> None:
        """Write the rows of the next outcomes."""
        filler = np.nan if "f" in self._dtype else 0
        rows = np.full((len(outcomes), self._width), filler, dtype=self._dtype)
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome.result is not None:
                row[:] = outcome.result.vector
        self._file.write(rows.tobytes())
        self._rows += len(rows)

    def write_header(self) -> None:
        """Write the number of rows at the file's start.

        NumPy pads a header, so the number of rows may grow without moving the data.
        """
        shape = (self._rows, self._width)
        header = {"descr": self._dtype, "fortran_order": False, "shape": shape}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, header)  # type: ignore[no-untyped-call]


@contextmanager
def opened_npy_sink(path: Path, width: int, dtype: str = "<f4") -> Iterator[NpySink]:
    """A sink whose file takes its name when the block ends without an error.

    Until then the rows are in `partial_path`. After an error they stay there and can be read.

    Raises:
        DatasetError: the file cannot be written.
    """
    if path.exists() and not path.is_file():
        raise DatasetError(f"{path} is no regular file, which vectors need; name another")
    written = partial_path(path)
    try:
        file = written.open("wb")
    except OSError as error:
        raise DatasetError(
            f"{written} cannot be written: {error.strerror}; name a file in a folder of yours"
        ) from error
    with file:
        sink = NpySink(file, width, dtype)
        try:
            yield sink
        finally:
            sink.write_header()
    written.replace(path)


def partial_path(path: Path) -> Path:
    """The path of an output until it is complete."""
    return path.with_name(path.name + ".partial")


def cut_cell(truncated: bool) -> str:
    """The table's cell for a text: `yes` if the model saw only its start."""
    return "yes" if truncated else ""
