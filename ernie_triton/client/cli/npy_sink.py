"""Vectors out: one `.npy` file of a row for each line, in constant memory.

A sink beside those of `sink`, for the embedding client.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ernie_triton.client.cli.sink import partial_path
from ernie_triton.client.cli.stream import Outcome
from ernie_triton.client.embedding import Embedding
from ernie_triton.errors import DatasetError


class NpySink:
    """Appends a row of little-endian float32 for each outcome; NaN for one without a vector."""

    def __init__(self, file: BinaryIO, hidden: int) -> None:
        self._file = file
        self._hidden = hidden
        self._rows = 0
        self.write_header()

    def write(self, outcomes: Sequence[Outcome[Embedding]]) -> None:
        """Write the rows of the next outcomes."""
        rows = np.full((len(outcomes), self._hidden), np.nan, dtype="<f4")
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome.result is not None:
                row[:] = outcome.result.vector
        self._file.write(rows.tobytes())
        self._rows += len(rows)

    def write_header(self) -> None:
        """Say at the file's start how many rows there are.

        NumPy pads a header so that the number of rows may grow without moving the data.
        """
        shape = (self._rows, self._hidden)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, header)  # type: ignore[no-untyped-call]


@contextmanager
def opened_npy_sink(path: Path, hidden: int) -> Iterator[NpySink]:
    """A sink whose file takes its name when the block ends without an error.

    Until then the rows stand beside it in `partial_path`, and stay there, readable, after an error.

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
        sink = NpySink(file, hidden)
        try:
            yield sink
        finally:
            sink.write_header()
    written.replace(path)
