"""One row out for each row in, whatever process ends in the middle."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.bulk import batch
from ernie_triton.bulk.file_parts import FilePart
from ernie_triton.bulk.part_worker import PartOutcome, PartWorker
from ernie_triton.bulk.ray_parts import RayRun
from tests.client.grpc_server import running_server
from tests.commands import command
from tests.conftest import build_sample
from tests.paths import ROOT

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
TEXTS = ["一", "二", "refuse", "四", "五", "六", "七"]
"""The server of the tests refuses the third."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_server() as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(f"{json.dumps({'text': text})}\n" for text in TEXTS), encoding="utf-8")
    return path


def words(source: Path, *more: str) -> list[str]:
    places = ["--file", str(source), "--output", str(source.parent / "out"), "--part-rows", "2"]
    return ["seq_cls", *places, "--retries", "0", *more]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    parts = sorted(folder.glob("*.parquet"))
    return [row for part in parts for row in parquet.read_table(part).to_pylist()]


class InThisProcess:
    """Stands for Ray: one worker, which answers so many parts and ends as by a kill."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.numbers: list[int] = []

    def __call__(self, run: RayRun, parts: Sequence[FilePart]) -> Iterator[PartOutcome]:
        worker = PartWorker(run.task, run.found)
        try:
            for part in reversed(parts):
                if len(self.numbers) == self.most:
                    raise KeyboardInterrupt
                self.numbers.append(part.number)
                yield worker(part)
        finally:
            worker.close()


def use(monkeypatch: pytest.MonkeyPatch, most: int | None = None) -> InThisProcess:
    answering = InThisProcess(most)
    monkeypatch.setattr(batch, "answered_on_ray", answering)
    return answering


def test_a_run_goes_on_with_the_parts_that_are_missing_or_damaged(
    source: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main, output = command("batch"), source.parent / "out"
    use(monkeypatch, most=2)
    assert main(words(source, "--url", url)) == 1
    assert "run it again to go on with" in capsys.readouterr().err
    assert [row["row"] for row in rows_of(output)] == [5, 6, 7]
    damaged = output / "part-000002.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    (output / "part-000000.1-a.partial").touch()
    rest = use(monkeypatch)
    assert main(words(source, "--url", url)) == 1  # for the row that is refused
    assert rest.numbers == [2, 1, 0]
    rows = rows_of(output)
    assert [row["row"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["row"] for row in rows if row["error"]] == [3]
    assert all(json.loads(row["result"])["label"] == "positive" for row in rows if row["result"])
    assert sorted(path.suffix for path in output.iterdir()) == [".json", *[".parquet"] * 4]
    whole = use(monkeypatch)
    assert main(words(source, "--url", url)) == 0
    assert whole.numbers == []


def test_a_run_stops_in_one_line_when_no_server_answers(
    source: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = command("batch")

    def gone(run: RayRun, parts: Sequence[FilePart]) -> Iterator[PartOutcome]:
        run.found.url = "127.0.0.1:1"
        return InThisProcess()(run, parts)

    monkeypatch.setattr(batch, "answered_on_ray", gone)
    assert main(words(source, "--url", url)) == 1
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith("error: no Triton server answers at 127.0.0.1:1")
    assert said.endswith(f"run it again to go on with {source.parent / 'out'}")


def test_a_file_that_changes_and_a_part_that_cannot_be_written_end_the_run(
    source: Path, url: str
) -> None:
    parser = argparse.ArgumentParser()
    batch.add_options(parser)
    found = parser.parse_args(words(source, "--url", url))
    worker = PartWorker("seq_cls", found)
    outcome = worker(FilePart(number=3, first=6, rows=2, offset=source.stat().st_size))
    assert "had 2 rows from row 7 on, and has 0 now" in outcome.error
    unwritten = worker(FilePart(number=0, first=0, rows=2))  # nobody has made the folder
    worker.close()
    assert "part-000000.parquet cannot be written: " in unwritten.error


def test_without_ray_the_extra_is_named(
    source: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert command("batch")(words(source, "--url", url)) == 1
    assert "pip install 'ernie-triton[ray]'" in capsys.readouterr().err


def test_stages_of_a_repository_answer_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_sample("tnews.toml", tmp_path / "models")
    use(monkeypatch)
    source = ROOT / "samples" / "data" / "tnews" / "dev.json"
    gold = [json.loads(line)["label_desc"] for line in source.read_text("utf-8").splitlines()]
    options = ["--file", str(source), "--output", str(tmp_path / "out"), "--top-k", "2"]
    repository = ["--repository", str(tmp_path / "models")]
    assert command("batch")(["seq_cls", *options, *repository]) == 0
    results = [json.loads(row["result"]) for row in rows_of(tmp_path / "out")]
    right = sum(one["label"] == wanted for one, wanted in zip(results, gold, strict=True))
    assert right > 0.8 * len(gold)
    assert all(len(one["labels"]) == 2 for one in results)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_worker_of_ray_that_is_killed_loses_and_doubles_nothing(tmp_path: Path, url: str) -> None:
    psutil = pytest.importorskip("psutil")
    source = tmp_path / "texts.txt"
    source.write_text("".join(f"{number}\n" for number in range(4000)), encoding="utf-8")
    more = ["--part-rows", "100", "--batch-size", "1", "--workers", "2", "--url", url]
    options = ["--file", str(source), "--output", str(tmp_path / "out"), *more]
    started = [sys.executable, "-m", "ernie_triton", "batch", "seq_cls", *options]
    with subprocess.Popen(started, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        deadline = time.monotonic() + 120
        while not rows_of(tmp_path / "out"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        workers = [
            one.pid
            for one in psutil.Process(process.pid).children(recursive=True)
            if one.name().startswith("ray::MapWorker")
        ]
        os.kill(workers[0], signal.SIGKILL)
        assert process.wait(300) == 0
    assert [row["row"] for row in rows_of(tmp_path / "out")] == [*range(1, 4001)]
