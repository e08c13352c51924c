"""The report from variants to files."""

import datetime
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.progress import StepReporter
from ernie_triton.perf.analyzer.program import find_analyzer
from ernie_triton.perf.compression_report.content import Report, rows_of
from ernie_triton.perf.compression_report.measuring import Measuring, load_rows, measure_in_turn
from ernie_triton.perf.compression_report.plots import draw_all
from ernie_triton.perf.compression_report.table import csv_text, markdown
from ernie_triton.perf.compression_report.variants import Variant, build_variant
from ernie_triton.perf.machine import machine_facts, project_commit
from ernie_triton.perf.reporting.style import figure
from ernie_triton.server.wheel import find_wheel

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet


def check_tools() -> None:
    """Look for what serves, measures and draws.

    Raises:
        MissingExtraError: the server's wheel, perf_analyzer or matplotlib is not installed.
    """
    with figure():
        pass
    find_analyzer()
    find_wheel()


def make_report(
    variants: Sequence[Variant],
    data: "DataSet",
    repository: Path,
    measuring: Measuring,
    *,
    max_length: int,
    title: str,
    step: StepReporter,
    progress: Callable[[str], None],
) -> Report:
    """Build, serve and measure the variants.

    Args:
        variants: the first is what the others are compared with.
        data: of the task; `dev_path` is of the form that the clients read.
        repository: folder to build into; what is there goes.
        measuring: how long.
        max_length: most tokens of a row.
        title: of the report.
        step: reports the steps of each build.
        progress: is told what else is done.

    Raises:
        ErnieTritonError: a variant cannot be built, served or measured.
    """
    started = datetime.datetime.now(datetime.timezone.utc)
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir(parents=True)
    built = []
    for variant in variants:
        progress(f"building {variant.name}")
        built.append(build_variant(variant, data, repository, max_length, step))
    names = [variant.pipeline for variant in variants]
    figures, metrics = measure_in_turn(repository, names, data, measuring, progress)
    return Report(
        title=title,
        task=data.task,
        metric=metrics[names[0]].metric,
        examples=metrics[names[0]].examples,
        texts=len(load_rows(data, measuring.seed)),
        rounds=measuring.rounds,
        seconds=measuring.seconds,
        machine=machine_facts(),
        commit=project_commit(),
        started_at=started.isoformat(timespec="seconds"),
        rows=rows_of(built, [figures[name] for name in names], [metrics[name] for name in names]),
    )


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write `report.md`, `report.json`, `report.csv` and the plots; return their paths.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "report.md": markdown(report),
        "report.json": report.to_json(),
        "report.csv": csv_text(report),
    }
    paths = []
    for name, content in contents.items():
        paths.append(folder / name)
        paths[-1].write_text(content, encoding="utf-8")
    return [*paths, *draw_all(report, folder)]
