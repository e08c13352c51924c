"""Large files: rows from Parquet, results as Parquet files of a folder that can be gone on with.

Each part holds the results of so many rows, in their order, one for each. It takes its name when it
is complete, so a run that was killed begins again with the first part that is not there.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar
from uuid import uuid4

from ernie_triton.client.cli.sink import partial_path
from ernie_triton.client.cli.stream import Outcome
from ernie_triton.client.items import TextField
from ernie_triton.errors import DatasetError, MissingExtraError, UsageError

_R = TypeVar("_R")

_READ_ROWS = 1024
_FACTS = "run.json"


class PartSink(Generic[_R]):
    """Keeps the outcomes of one part."""

    def __init__(self, json_from_result: Callable[[_R], Mapping[str, object]]) -> None:
        self._json_from_result = json_from_result
        self.columns: dict[str, list[Any]] = {"row": [], "result": [], "error": []}

    def write(self, outcomes: Sequence[Outcome[_R]]) -> None:
        """Keep the next outcomes."""
        for outcome in outcomes:
            result = None
            if outcome.result is not None:
                result = json.dumps(self._json_from_result(outcome.result), ensure_ascii=False)
            self.columns["row"].append(outcome.item.line)
            self.columns["result"].append(result)
            self.columns["error"].append(outcome.error or None)

    @property
    def rows(self) -> int:
        """The rows kept so far."""
        return len(self.columns["row"])


class PartFolder:
    """The parts of one run, complete ones alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, number: int) -> Path:
        """The file of a part, counted from 0."""
        return self.folder / f"part-{number:06}.parquet"

    def write(self, number: int, sink: PartSink[Any]) -> None:
        """Write a part: row (from 1), result as JSON, error; of the last two one is null.

        Raises:
            DatasetError: it cannot be written.
        """
        pyarrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
        kinds = {"row": pyarrow.int64(), "result": pyarrow.string(), "error": pyarrow.string()}
        table = pyarrow.table(sink.columns, schema=pyarrow.schema(list(kinds.items())))
        # Another process may write the same part: one that its run has lost sight of.
        path = self.path(number)
        written = partial_path(path.with_suffix(f".{os.getpid()}-{uuid4().hex[:8]}"))
        try:
            parquet.write_table(table, written, compression="zstd")
            written.replace(path)
        except OSError as error:
            reason = error.strerror or error
            raise DatasetError(f"{path} cannot be written: {reason}; make room for it") from error

    def has(self, number: int, rows: int) -> bool:
        """Return True where a part is there, whole and with so many rows."""
        try:
            return parquet_rows(str(self.path(number))) == rows
        except DatasetError:
            return False


@contextmanager
def opened_part_folder(folder: Path, facts: Mapping[str, object]) -> Iterator[PartFolder]:
    """The folder of a run's parts, for this run alone.

    Args:
        folder: made where it is missing.
        facts: what decides the results; those of the folder's first run.

    Raises:
        UsageError: its parts were made with other facts, or another run writes there now.
        DatasetError: it cannot be written.
    """
    _pyarrow("pyarrow.parquet")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _FACTS).open("a+", encoding="utf-8")
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be written: {error.strerror}; name a folder of yours"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another run writes {folder} now; wait, or name another") from error
        file.seek(0)
        text = file.read()
        wanted = json.loads(json.dumps(facts))
        if not text:
            json.dump(wanted, file, ensure_ascii=False, indent=2)
            file.flush()
        elif (found := json.loads(text)) != wanted:
            other = next(name for name in wanted if found.get(name) != wanted[name])
            raise UsageError(
                f"{folder} holds parts of a run with {other} {found.get(other)!r}, and this one "
                f"has {wanted[other]!r}; name another folder"
            )
        for left in folder.glob("*.partial"):  # of processes that were killed
            left.unlink(missing_ok=True)
        yield PartFolder(folder)


@contextmanager
def opened_parquet(
    path: str, fields: Sequence[TextField], wanted: range | None = None
) -> Iterator[Iterator[bytes]]:
    """The rows of a Parquet file as lines of JSON, with the columns of these fields alone.

    Args:
        path: the file.
        fields: the places of a row's texts.
        wanted: the rows to read, counted from 0; None for all.

    Raises:
        DatasetError: it cannot be read.
    """
    file = _parquet_file(path)
    keys = {key for field in fields for key in field.keys}
    columns = [name for name in file.schema_arrow.names if name in keys]
    if not columns:
        raise DatasetError(
            f"{path} has the columns {', '.join(file.schema_arrow.names)}; expected "
            f"{' or '.join(sorted(keys))}"
        )
    with file:
        yield (
            json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
            for batch in _batches(file, columns, wanted or range(file.metadata.num_rows))
            for row in batch.to_pylist()
        )


def parquet_rows(path: str) -> int:
    """The number of rows of a Parquet file.

    Raises:
        DatasetError: it cannot be read.
    """
    with _parquet_file(path) as file:
        return int(file.metadata.num_rows)


def _parquet_file(path: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    pyarrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    try:
        return parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{path} cannot be read as Parquet: {reason}") from error


def _batches(file: Any, columns: Sequence[str], wanted: range) -> Iterator[Any]:  # noqa: ANN401
    """Batches of the wanted rows, out of the row groups that hold them."""
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    ends = [*accumulate(sizes)]
    groups = [
        group
        for group, (end, size) in enumerate(zip(ends, sizes, strict=True))
        if end > wanted.start and end - size < wanted.stop
    ]
    if not groups:
        return
    at = ends[groups[0]] - sizes[groups[0]]
    for batch in file.iter_batches(_READ_ROWS, row_groups=groups, columns=columns):
        own = range(max(wanted.start - at, 0), min(wanted.stop - at, batch.num_rows))
        at += batch.num_rows
        if len(own):
            yield batch.slice(own.start, len(own))
        if at >= wanted.stop:
            return


def file_facts(path: str) -> dict[str, object]:
    """Facts that tell one version of a file from another.

    Raises:
        DatasetError: it is no regular file, which alone can be read again.
    """
    if not Path(path).is_file():
        raise DatasetError(f"{path} is no file, which --part-rows needs to go on with a run")
    found = Path(path).stat()
    return {
        "file": str(Path(path).resolve()),
        "size_bytes": found.st_size,
        "changed_ns": found.st_mtime_ns,
    }


def _pyarrow(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", "parquet", "reading and writing Parquet") from error
