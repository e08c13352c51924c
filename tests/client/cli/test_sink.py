"""Lines out: the two printers, and the file that appears when it is complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ernie_triton.client.cli.sink import JsonPrinter, TablePrinter, opened_output, partial_path
from ernie_triton.client.cli.stream import Outcome
from ernie_triton.client.items import Item
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
