"""Lines out: two printers, vectors, and the file that appears when it is complete."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.client.cli.sink import (
    JsonPrinter,
    TablePrinter,
    opened_npy_sink,
    opened_output,
    partial_path,
)
from ernie_triton.client.cli.stream import Outcome
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.embedding import Embedding
from ernie_triton.errors import DatasetError, ServerUnavailableError

GOOD: Outcome[str] = Outcome(item=Item(line=1, texts=("你好",)), result="体育")
BAD: Outcome[str] = Outcome(item=Item(line=2, error="not UTF-8"), error="not UTF-8")


def test_json_lines_carry_the_number_with_the_result_or_the_error() -> None:
    printer = JsonPrinter[str](lambda result: {"label": result})
    first, second = printer.lines([GOOD, BAD])
    assert first == '{"line": 1, "label": "体育"}'
    assert json.loads(second) == {"line": 2, "error": "not UTF-8"}


def test_the_table_shows_each_result_beside_its_text() -> None:
    printer = TablePrinter[str](("label",), ("text",), lambda result: [(result,), ("next",)])
    assert printer.lines([GOOD, BAD]) == [
        "line  label  text",
        "----  -----  ----",
        "1     体育   你好",
        "      next",
        "2     error",
    ]


def test_an_output_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with opened_output(path) as output:
        output.write("你\n")
        assert not path.exists()
    assert path.read_bytes() == "你\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_of_a_stopped_run_keeps_its_other_name(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("before")

    def stopped() -> None:
        with opened_output(path) as output:
            output.write("part")
            raise ServerUnavailableError("away")

    with pytest.raises(ServerUnavailableError):
        stopped()
    assert path.read_text() == "before"
    assert partial_path(path).read_text() == "part"


def test_a_device_is_written_in_place() -> None:
    with opened_output(Path("/dev/null")) as output:
        output.write("x")
    assert Path("/dev/null").is_char_device()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "out.jsonl"
    with pytest.raises(DatasetError, match="cannot be written"), opened_output(path):
        pass


def outcomes_of(*vectors: list[float] | None) -> list[Outcome[Embedding]]:
    return [
        Outcome(item=Item(line=line), error="late")
        if vector is None
        else Outcome(
            item=Item(line=line),
            result=Embedding(vector=np.array(vector, dtype=np.float32), truncated=False),
        )
        for line, vector in enumerate(vectors, 1)
    ]


def test_rows_stand_in_the_order_of_the_lines_and_a_failed_one_is_nan(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    with opened_npy_sink(path, 2) as sink:
        sink.write(outcomes_of([1.0, 2.0], None))
        sink.write(outcomes_of([3.0, 4.0]))
        assert not path.exists()
    vectors = np.load(path)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, [[1.0, 2.0], [np.nan, np.nan], [3.0, 4.0]])
    assert np.load(path, mmap_mode="r").shape == (3, 2)
    assert list(tmp_path.iterdir()) == [path]


def test_an_array_of_no_lines_has_the_models_length(tmp_path: Path) -> None:
    with opened_npy_sink(tmp_path / "vectors.npy", 5):
        pass
    assert np.load(tmp_path / "vectors.npy").shape == (0, 5)


def test_the_header_takes_the_same_place_for_any_number_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    with opened_npy_sink(path, 1) as sink:
        for _ in range(120):
            sink.write(outcomes_of(*[[1.0]] * 1000))
    vectors = np.load(path)
    assert vectors.shape == (120_000, 1)
    assert vectors.min() == vectors.max() == 1.0


def test_a_stopped_run_leaves_its_rows_readable_under_the_other_name(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    path.write_text("before")

    def stopped() -> None:
        with opened_npy_sink(path, 1) as sink:
            sink.write(outcomes_of([1.0]))
            raise ServerUnavailableError("away")

    with pytest.raises(ServerUnavailableError):
        stopped()
    assert path.read_text() == "before"
    with partial_path(path).open("rb") as file:
        assert np.load(file).tolist() == [[1.0]]


@pytest.mark.parametrize("name", ["none/vectors.npy", "folder.npy"])
def test_a_place_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(DatasetError, match=name), opened_npy_sink(tmp_path / name, 1):
        pass
