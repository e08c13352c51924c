"""`tune`: mistakes in one line before anything is measured, and a file that a rebuild uses."""

import os
import shutil
from pathlib import Path

import pytest

from ernie_triton.cli import main as build_scripts
from ernie_triton.perf.tuning import tune
from ernie_triton.perf.tuning.decision import BudgetError
from ernie_triton.perf.tuning.setting import setting_of
from ernie_triton.pipeline import load_pipeline
from tests.commands import command
from tests.perf.conftest import Tiny

main = command("perf")

PIPELINE = """# The tiny model.
task = "seq_cls"
name = "tiny"
checkpoint = "{checkpoint}"
repository = "{repository}"
joined = false
"""


def written(folder: Path, **values: object) -> Path:
    path = folder / "tiny.toml"
    texts = {"checkpoint": "c", "repository": "r"} | values
    path.write_text(PIPELINE.format(**texts), encoding="utf-8")
    return path


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["tune", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    assert line.startswith("error: ")
    return line


def test_a_pipeline_that_is_not_built_is_one_line_with_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    message = error_of(capsys, str(path))
    assert f"has no version 1 of tiny; run: ernie-triton build {path}" in message
    elsewhere = tmp_path / "elsewhere"
    message = error_of(capsys, str(path), "--repository", str(elsewhere))
    assert message.endswith(f"build {path} --repository {elsewhere}")


@pytest.mark.parametrize(
    ("output", "message"),
    [("tiny.toml", "is the pipeline itself"), ("../tiny.tuned.toml", "is in another folder")],
)
def test_an_output_that_cannot_be_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, message: str
) -> None:
    path = written(tmp_path)
    assert message in error_of(capsys, str(path), "--output", str(tmp_path / output))


@pytest.mark.parametrize(
    "option",
    [
        ("--cores", "all"),
        ("--cores", "3-1"),
        ("--concurrency", "0"),
        ("--rounds", "1"),
        ("--rows", "-1"),
        ("--latency-budget-ms", "0"),
        ("--latency-budget-ms", "nan"),
        ("--seconds", "0.1"),
    ],
)
def test_a_wrong_option_is_a_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["tune", str(written(tmp_path)), *option])
    assert stop.value.code == 2
    assert f"argument {option[0]}" in capsys.readouterr().err


@pytest.mark.live
def test_a_quick_tuning_on_one_core_writes_a_file_that_builds(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(tiny.repository, repository)
    path = written(tmp_path, checkpoint=tiny.checkpoint, repository=repository)
    core = str(min(os.sched_getaffinity(0)))
    options = ["--quick", "--cores", core, "--concurrency", "4"]
    assert main(["tune", str(path), *options]) == 0
    captured = capsys.readouterr()
    output = tmp_path / "tiny.tuned.toml"
    *_, verdict, last = captured.out.splitlines()
    assert last == str(output)
    assert "starting a server: threads 0, instances 1" in captured.err
    text = output.read_text(encoding="utf-8")
    assert f"# tune: the server on core(s) {core} of " in text
    tuned = load_pipeline(output)
    assert str(setting_of(tuned)) in verdict
    assert setting_of(load_pipeline(path)).applied_to(tuned) == load_pipeline(path)
    assert build_scripts(["build", str(output)]) == 0


def test_a_budget_that_nothing_keeps_writes_nothing(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_setting(*_: object) -> None:
        raise BudgetError("no setting keeps a p99 of 0.01 ms; the best was 1.20 ms")

    monkeypatch.setattr(tune, "tune", without_setting)
    path = written(tmp_path, checkpoint=tiny.checkpoint, repository=tiny.repository)
    message = error_of(capsys, str(path), "--quick", "--latency-budget-ms", "0.01")
    assert message == "error: no setting keeps a p99 of 0.01 ms; the best was 1.20 ms"
    assert list(tmp_path.iterdir()) == [path]
