"""Two finished runs: ratios of what both measured, and what these are worth."""

from pathlib import Path

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.perf.reporting.finished_runs import UNPAIRED, files_table, pairs_of
from tests.commands import command
from tests.perf.made_up import measurement, run_of

main = command("perf")


def test_measurements_of_the_same_subject_and_load_are_paired() -> None:
    first = run_of(measurement("a"), measurement("a", level=1.0), measurement("b"))
    second = run_of(measurement("b", qps=50.0), measurement("a", qps=300.0))
    found = [(pair.first.subject.name, pair.second.qps) for pair in pairs_of(first, second)]
    assert found == [("a", 300.0), ("b", 50.0)]


def test_runs_of_one_subject_each_are_compared_whatever_its_name() -> None:
    (pair,) = pairs_of(run_of(measurement("before")), run_of(measurement("after")))
    assert (pair.first.subject.name, pair.second.subject.name) == ("before", "after")


def test_a_part_of_the_maximum_is_the_same_load_at_another_rate() -> None:
    first = run_of(measurement("a", level=70.0, of_maximum=0.7))
    second = run_of(measurement("a", level=140.0, of_maximum=0.7))
    assert len(pairs_of(first, second)) == 1
    assert "70% of the maximum" in files_table(first, second)


def test_the_table_has_the_ratios_and_says_that_they_are_not_paired() -> None:
    first = run_of(measurement("a", qps=100.0, p50_us=1000.0))
    second = run_of(measurement("a", qps=250.0, p50_us=500.0, unstable=("it was",)))
    table = files_table(first, second)
    assert UNPAIRED in table
    assert table.splitlines()[-1] == (
        "| a | concurrency 32 | 100.0 to 250.0 | 2.50x | 0.50x | 0.50x | unstable |"
    )
    assert "different machines" not in table


def test_different_machines_are_named() -> None:
    table = files_table(run_of(measurement("a"), processor="one"), run_of(measurement("a")))
    assert "different machines: a processor, 2 cores, to one, 2 cores" in table


def test_runs_with_nothing_in_common_are_refused() -> None:
    with pytest.raises(DatasetError, match="no subject and load in common"):
        pairs_of(run_of(measurement("a")), run_of(measurement("a", level=8.0)))


def test_the_command_takes_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, qps in zip(paths, (100.0, 150.0), strict=True):
        path.write_text(run_of(measurement("a", qps=qps)).to_json(), encoding="utf-8")
    assert main(["compare", *map(str, paths)]) == 0
    assert "| 1.50x |" in capsys.readouterr().out


def test_a_file_and_a_model_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "first.json", "a_model"]) == 2
    assert "two models or two JSON files" in capsys.readouterr().err
