"""Make the report: from variants to files."""

import datetime
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.progress import StepReporter
from ernie_triton.perf.analyzer.program import find_analyzer
from ernie_triton.perf.compression_report.content import CompressionReport, report_rows
from ernie_triton.perf.compression_report.measuring import (
    ReportOptions,
    load_rows,
    measure_variants,
)
from ernie_triton.perf.compression_report.plots import draw_report
from ernie_triton.perf.compression_report.table import csv_text, markdown
from ernie_triton.perf.compression_report.variants import Variant, build_variant
from ernie_triton.perf.machine import machine_facts, project_commit
from ernie_triton.perf.reporting.style import figure
from ernie_triton.server.wheel import find_wheel

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet


def check_tools() -> None:
    """Check that the server, perf_analyzer and matplotlib are installed.

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
    options: ReportOptions,
    *,
    max_length: int,
    title: str,
    step: StepReporter,
    progress: Callable[[str], None],
) -> CompressionReport:
    """Build, serve and measure the variants.

    Args:
        variants: all are compared with the first.
        data: of the task; `dev_path` has the format that the clients read.
        repository: folder to build into; its content is removed.
        options: rounds and durations.
        max_length: most tokens of a row.
        title: of the report.
        step: reports the steps of each build.
        progress: receives a line before each other step.

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
    figures, metrics = measure_variants(repository, names, data, options, progress)
    return CompressionReport(
        title=title,
        task=data.task,
        metric=metrics[names[0]].metric,
        examples=metrics[names[0]].examples,
        texts=len(load_rows(data, options.seed)),
        rounds=options.rounds,
        seconds=options.seconds,
        machine=machine_facts(),
        commit=project_commit(),
        started_at=started.isoformat(timespec="seconds"),
        rows=report_rows(
            built, [figures[name] for name in names], [metrics[name] for name in names]
        ),
    )


def write_report(report: CompressionReport, folder: Path) -> list[Path]:
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
    return [*paths, *draw_report(report, folder)]
