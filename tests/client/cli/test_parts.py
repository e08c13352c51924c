"""Large files: one row out for each row in, also when a run ends in the middle and is run again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.errors import ServerUnavailableError
from tests.client.fakes import FakeModel
from tests.commands import command

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
pyarrow = pytest.importorskip("pyarrow")

main = command("ask", "seq_cls")
Serve = Callable[[FakeModel], FakeModel]
TEXTS = [f"{'ab'[number % 2]}{number}" for number in range(10)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    lines = [json.dumps({"text": text}) for text in TEXTS]
    lines[6] = '{"text": 6}'
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def options(source: Path, output: Path, *more: str) -> list[str]:
    places = ["--file", str(source), "--output", str(output), "--part-rows", "4"]
    return [*places, "--batch-size", "2", "--retries", "0", *more]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for part in sorted(folder.glob("*.parquet")) for row in _rows(part)]


def _rows(part: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(part).to_pylist()
    return found


def check(rows: list[dict[str, Any]]) -> None:
    """Every row is there once, in order, with its own answer; the seventh has its error."""
    assert [row["row"] for row in rows] == list(range(1, 11))
    assert [row["row"] for row in rows if row["error"]] == [7]
    assert rows[6]["result"] is None
    labels = [json.loads(row["result"])["label"][0] for row in rows if row["result"]]
    assert labels == [text[0] for at, text in enumerate(TEXTS) if at != 6]


def test_a_run_that_ended_goes_on_and_doubles_nothing(
    serve: Serve, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    gone = ServerUnavailableError("no Triton server answers")
    serve(FakeModel(fault=lambda request: gone if b"a4" in request.columns["text"] else None))
    assert main(options(source, output)) == 1
    assert "run it again to go on" in capsys.readouterr().err
    assert [row["row"] for row in rows_of(output)] == [1, 2, 3, 4]
    model = serve(FakeModel())
    assert main(options(source, output)) == 1  # for the row that is no text
    asked = [text.decode() for request in model.requests for text in request.columns["text"]]
    assert sorted(asked) == sorted(text for at, text in enumerate(TEXTS) if at >= 4 and at != 6)
    check(rows_of(output))
    model = serve(FakeModel())
    assert main(options(source, output)) == 0
    assert model.requests == []


def test_parquet_is_read_by_its_column_of_texts(serve: Serve, tmp_path: Path) -> None:
    source, output = tmp_path / "texts.parquet", tmp_path / "out"
    texts: list[str | None] = [*TEXTS]
    texts[6] = None
    table = pyarrow.table({"other": [b"\xff"] * 10, "sentence": texts})
    parquet.write_table(table, source, row_group_size=3)
    serve(FakeModel())
    assert main(options(source, output)) == 1
    check(rows_of(output))


def test_a_folder_of_another_run_is_refused(
    serve: Serve, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(FakeModel())
    main(options(source, tmp_path / "out"))
    capsys.readouterr()
    assert main(options(source, tmp_path / "out", "--top-k", "2")) == 1
    said = capsys.readouterr().err
    assert "out holds parts of a run with options {'top_k': " in said
    assert "run it again" not in said
    table = tmp_path / "other.parquet"
    parquet.write_table(pyarrow.table({"name": ["a"]}), table)
    assert main(options(table, tmp_path / "new")) == 1
    said = capsys.readouterr().err
    assert "has the columns name; expected sentence or sentence1 or" in said
