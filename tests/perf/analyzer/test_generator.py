"""perf_analyzer's options, and its process; real loads are in tests/perf/test_run_live.py."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.analyzer.generator import LoadGenerator, Windows, options_for
from ernie_triton.perf.analyzer.program import AnalyzerRun
from ernie_triton.perf.results import RequestLoad

AWAY = AnalyzerRun(
    url="127.0.0.1:1",
    model="nothing",
    columns={"text": [("好",)]},
    options=options_for(RequestLoad(mode="concurrency", level=1), Windows(seconds=1)),
)


def test_a_closed_loop_is_one_level_of_concurrency() -> None:
    load = RequestLoad(mode="concurrency", level=8.0, batch_size=4)
    options = options_for(load, Windows(seconds=1.5, settle_percent=10, most=6))
    assert " ".join(options) == (
        "-b 4 -v --verbose-csv --concurrency-range 8:8:1 --sync --measurement-interval 1500 "
        "--stability-percentage 10 --max-trials 6"
    )


def test_an_open_loop_has_poisson_arrivals_that_do_not_wait_for_answers() -> None:
    options = options_for(RequestLoad(mode="request_rate", level=123.456), Windows(seconds=2))
    assert " ".join(options) == (
        "-b 1 -v --verbose-csv --request-rate-range 123.456 --async --request-distribution poisson "
        "--measurement-interval 2000 --stability-percentage 1e+06 --max-trials 3"
    )


def test_a_server_that_is_away_is_one_line() -> None:
    with LoadGenerator(AWAY) as generator:
        while generator.is_running(0.1):
            pass
        with pytest.raises(AnalyzerError, match="perf_analyzer failed") as raised:
            generator.outcome()
    assert "\n" not in str(raised.value)


def test_leaving_early_ends_the_process_and_removes_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A program in perf_analyzer's place that would run for a minute and ignores being asked to end.
    program = tmp_path / "perf_analyzer"
    program.write_text("#!/bin/sh\ntrap '' TERM\nsleep 60 & wait $!; sleep 60\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere" / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("ernie_triton.perf.analyzer.generator._STOP_TIMEOUT_S", 0.3)
    start = time.monotonic()
    with LoadGenerator(AWAY) as generator:
        assert generator.is_running(0.2)
    assert time.monotonic() - start < 30
    assert not list(tmp_path.glob("ernie-triton-perf-*"))
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(program) not in running.stdout
