"""`run`: mistakes in one line before anything is measured, and results written whole."""

import dataclasses
from pathlib import Path

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.perf.commands.run import write_run
from ernie_triton.perf.results import read_run
from tests.commands import command
from tests.perf.runs import a_measurement, a_run

main = command("perf")

SCENARIO = """
title = "a test"
task = "seq_cls"
[[subjects]]
name = "one"
model = "ernie_seqcls"
[texts]
[[texts.kinds]]
name = "short"
tokens = 16
[[loads]]
concurrency = [1]
"""
AWAY = ("--url", "127.0.0.1:1")


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["run", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    last = captured.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "Traceback" not in captured.err
    return last


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO, encoding="utf-8")
    return str(path)


def test_a_server_that_is_away_is_one_line(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run.json"
    message = error_of(capsys, scenario, *AWAY, "--output", str(output))
    assert "no Triton server answers at 127.0.0.1:1" in message
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "two=x"), "there is no subject 'two'; known are one"),
        (("--model", "one"), "--model 'one' is not SUBJECT=MODEL"),
        (("--subject", "two"), "there is no subject 'two'; known are one"),
        (("--output", "/proc/nothing/run.json"), "/proc/nothing cannot be made"),
        (("--repository", "/nothing"), "the model repository /nothing is not a folder"),
    ],
)
def test_a_mistake_in_an_option_is_one_line(
    scenario: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    output = () if "--output" in options else ("--output", str(tmp_path / "run.json"))
    assert message in error_of(capsys, scenario, *options, *output)


def test_a_mistake_in_the_scenario_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO.replace("tokens", "token"), encoding="utf-8")
    message = error_of(capsys, str(path), *AWAY)
    assert "scenario.toml: unknown key 'token'; known are name, share, tokens" in message
    assert "missing.toml cannot be read" in error_of(capsys, str(tmp_path / "missing.toml"), *AWAY)


def test_an_option_with_a_typo_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", "scenario.toml", "--quik"])
    assert stopped.value.code == 2


def test_results_take_the_place_of_older_ones_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("older", encoding="utf-8")
    run = a_run(dataclasses.replace(a_measurement(), unstable=("noise",)))
    write_run(run, path)
    assert read_run(path) == run
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(DatasetError, match="cannot be written"):
        write_run(run, tmp_path / "missing" / "run.json")
