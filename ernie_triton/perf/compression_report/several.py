"""Sum up the reports of several runs of `compress`, whose teachers had other seeds."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ernie_triton.errors import DatasetError
from ernie_triton.perf.compression_report.content import CompressionReport, VariantRow
from ernie_triton.perf.paired import Spread, spread
from ernie_triton.perf.results import MachineFacts

_MIB = 1 << 20
_SPREADS = ("qps", "p50_ms", "p99_ms", "speed_up")


def read_compression_report(path: Path) -> CompressionReport:
    """Read a `report.json`.

    Raises:
        DatasetError: the file is missing, or is no such report.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content.pop("format")
        rows = tuple(_row(row) for row in content.pop("rows"))
        machine = MachineFacts(**content.pop("machine"))
        return CompressionReport(**content, machine=machine, rows=rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{path} is no report of compress ({error}); expected the report.json of a run"
        ) from error


def several_markdown(reports: Sequence[CompressionReport]) -> str:
    """Write the variants that all runs have as a table: medians over the runs, with ranges.

    Raises:
        DatasetError: the runs measured other tasks or other data.
    """
    first = reports[0]
    for other in reports[1:]:
        if (other.task, other.examples) != (first.task, first.examples):
            raise DatasetError(
                f"{other.title} measured {other.task} on {other.examples} examples, and "
                f"{first.title} {first.task} on {first.examples}; name runs on the same data"
            )
    by_name = [{row.name: row for row in report.rows} for report in reports]
    names = [row.name for row in first.rows if all(row.name in rows for rows in by_name)]
    headings = [
        *("model", first.metric, "loss, points", "size, MiB", "QPS", "p50, ms", "speed-up"),
    ]
    lines = [headings, ["---", *("---:" for _ in headings[1:])]]
    lines += [_line(name, [rows[name] for rows in by_name]) for name in names]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    machine = first.machine
    note = (
        f"Medians of runs, each with a teacher of its own ({len(reports)}), and their range; "
        f"{first.metric} of the server's answers to {first.examples:,} examples. QPS at "
        f"concurrency 32, p50 at concurrency 1: medians of {first.rounds} rounds of "
        f"{first.seconds:g} s; the speed-up is over {first.rows[0].name}, round by round. "
        f"{first.started_at[:10]}, {machine.cores} cores of {machine.processor}."
    )
    return f"{table}\n\n{note}\n"


def _line(name: str, rows: Sequence[VariantRow]) -> list[str]:
    def over_runs(value: Callable[[VariantRow], float]) -> Spread:
        return spread([value(row) for row in rows])

    sizes = over_runs(lambda row: row.size_bytes / _MIB)
    return [
        name,
        over_runs(lambda row: row.points).text(),
        over_runs(lambda row: row.lost).text(),
        f"{sizes.median:.1f}",
        f"{over_runs(lambda row: row.qps.median).median:,.0f}",
        f"{over_runs(lambda row: row.p50_ms.median).median:.2f}",
        over_runs(lambda row: row.speed_up.median).text("x"),
    ]


def _row(content: dict[str, Any]) -> VariantRow:
    spreads = {name: Spread(**content[name]) for name in _SPREADS}
    return VariantRow(**{**content, **spreads, "unstable": tuple(content["unstable"])})
