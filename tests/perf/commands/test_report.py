"""`report`: tables on stdout, files in a folder, mistakes in one line."""

import dataclasses
import json
from pathlib import Path

import pytest

from ernie_triton.perf.results import ScenarioRun
from tests.commands import command
from tests.perf.runs import a_measurement, a_run

main = command("perf")


def written(tmp_path: Path, run: ScenarioRun, name: str = "run.json") -> str:
    path = tmp_path / name
    path.write_text(run.to_json(), encoding="utf-8")
    return str(path)


def test_the_table_is_printed_in_the_format_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path, a_run(a_measurement(subject="nano int8")))
    second = written(tmp_path, a_run(a_measurement(subject="nano bf16")), "second.json")
    assert main(["report", first, second, "--format", "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["subject"] for record in records] == ["nano int8", "nano bf16"]
    assert main(["report", first]) == 0
    assert "| nano int8 | concurrency 8 |" in capsys.readouterr().out


def test_a_folder_gets_table_and_plots_without_unstable_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy = dataclasses.replace(a_measurement(subject="nano bf16"), unstable=("noise",))
    results = written(tmp_path, a_run(a_measurement(subject="nano int8"), noisy))
    folder = tmp_path / "report"
    assert main(["report", results, "--output", str(folder)]) == 0
    output, errors = capsys.readouterr()
    assert output.split() == [
        str(folder / name) for name in ("table.md", "stages.png", "stages.svg")
    ]
    assert errors == (
        "not drawn: 1 of 2 loads, whose figures are unstable; --with-unstable draws them\n"
    )
    table = (folder / "table.md").read_text(encoding="utf-8")
    assert "| nano bf16 |" in table
    assert table.endswith("Unstable: nano bf16, concurrency 8: noise.\n")
    assert "nano bf16" not in (folder / "stages.svg").read_text(encoding="utf-8")
    assert main(["report", results, "--output", str(folder), "--with-unstable"]) == 0
    assert "nano bf16" in (folder / "stages.svg").read_text(encoding="utf-8")


def test_an_accuracy_may_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = written(tmp_path, a_run(a_measurement(subject="nano int8")))
    assert main(["report", results, "--format", "json", "--accuracy", "nano int8=0.5678"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["accuracy"] == 0.5678


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["missing.json"], "missing.json cannot be read"),
        (["{run}", "--accuracy", "nano=0.5"], "no subject 'nano'; known are nano int8"),
        (["{run}", "--accuracy", "nano int8=57"], "is not SUBJECT=VALUE"),
        (["{empty}"], "the results hold no measurement"),
        (["{run}", "--output", "{run}"], "run.json cannot be written"),
    ],
)
def test_a_mistake_is_one_line_and_exit_1(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    run = written(tmp_path, a_run(a_measurement(subject="nano int8")))
    empty = written(tmp_path, a_run(), "empty.json")
    given = [option.format(run=run, empty=empty) for option in options]
    assert main(["report", *given]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert message in line
