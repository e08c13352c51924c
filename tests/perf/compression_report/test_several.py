"""One table of several runs."""

import dataclasses
from pathlib import Path

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.perf.compression_report.several import read_compression_report, several_markdown
from tests.commands import Run
from tests.perf.compression_report.figures import report, row

RUNS = [
    report(
        row("original", "fp32", points=points, qps=200.0),
        row("pruned", "int8", points=points - 0.5, qps=qps),
    )
    for points, qps in ((95.0, 600.0), (94.0, 500.0), (94.5, 640.0))
]


def test_a_written_report_reads_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(RUNS[0].to_json(), encoding="utf-8")
    assert read_compression_report(path) == RUNS[0]


def test_the_table_has_medians_over_the_runs_with_their_ranges(tmp_path: Path, run: Run) -> None:
    lines = several_markdown(RUNS).splitlines()
    assert lines[0] == (
        "| model | accuracy | loss, points | size, MiB | QPS | p50, ms | speed-up |"
    )
    assert lines[3] == (
        "| pruned INT8 | 94.00 (93.50 to 94.50) | 1.00 (0.50 to 1.50) | 3.0 | 600 | 1.67 "
        "| 3.00x (2.50 to 3.20) |"
    )
    assert lines[-1].startswith("Medians of runs, each with a teacher of its own (3)")
    paths = [tmp_path / f"{number}.json" for number in range(3)]
    for path, one in zip(paths, RUNS, strict=True):
        path.write_text(one.to_json(), encoding="utf-8")
    done = run("perf", "compression", *paths)
    assert done.code == 0, done.stderr
    assert done.stdout == several_markdown(RUNS)


def test_runs_on_other_data_and_other_files_are_told(tmp_path: Path) -> None:
    other = dataclasses.replace(RUNS[0], examples=5, title="b on reviews")
    with pytest.raises(DatasetError, match="b on reviews measured seq_cls on 5 examples"):
        several_markdown([RUNS[0], other])
    path = tmp_path / "report.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(DatasetError, match="is no report of compress"):
        read_compression_report(path)
