"""Write the report as a table in the form of the ERNIE 3.0 toolkit's.

That table has model, accuracy with loss, and speed with speed-up
(github.com/PaddlePaddle/PaddleNLP, model_zoo/ernie-3.0, "模型压缩").
"""

import csv
import dataclasses
import io
from collections.abc import Callable
from dataclasses import dataclass

from ernie_triton.perf.compression_report.content import CompressionReport, VariantRow

_MIB = 1 << 20
_GIB = 1 << 30
MARK = "†"
"""Marks unstable speeds."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its heading with the unit, and its cell."""

    heading: str
    cell: Callable[[VariantRow], str]


def columns_of(report: CompressionReport) -> tuple[_Column, ...]:
    """Return the columns of the Markdown table."""
    return (
        _Column("model", lambda row: row.name),
        _Column(report.metric, lambda row: f"{row.points:.2f}"),
        _Column("loss, points", _loss),
        _Column("size, MiB", lambda row: f"{row.size_bytes / _MIB:.1f}"),
        _Column("parameters, M", lambda row: f"{row.parameters / 1e6:.2f}"),
        _Column("QPS", lambda row: f"{row.qps.median:,.0f}{_mark(row)}"),
        _Column("p50, ms", lambda row: f"{row.p50_ms.median:.2f}{_mark(row)}"),
        _Column("p99, ms", lambda row: f"{row.p99_ms.median:.2f}{_mark(row)}"),
        _Column("speed-up", lambda row: f"{row.speed_up.text('x')}{_mark(row)}"),
    )


def markdown(report: CompressionReport) -> str:
    """Write the table and its notes in GitHub's Markdown."""
    columns = columns_of(report)
    lines = [[column.heading for column in columns]]
    lines.append(["---", *("---:" for _ in columns[1:])])
    lines += [[column.cell(row) for column in columns] for row in report.rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([f"# {report.title}", table, *_notes(report)]) + "\n"


def csv_text(report: CompressionReport) -> str:
    """Write all figures as CSV, unrounded; a spread has three columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    spreads = ("qps", "p50_ms", "p99_ms", "speed_up")
    plain = [
        one.name for one in dataclasses.fields(VariantRow) if one.name not in (*spreads, "unstable")
    ]
    parts = ("median", "lowest", "highest")
    names = [f"{name}_{part}" for name in spreads for part in parts]
    writer.writerow([*plain, *names, "unstable"])
    for row in report.rows:
        values = [getattr(row, name) for name in plain]
        values += [getattr(getattr(row, name), part) for name in spreads for part in parts]
        writer.writerow([*values, "; ".join(row.unstable)])
    return text.getvalue()


def _loss(row: VariantRow) -> str:
    return f"{row.lost:.2f}" if abs(row.lost) >= 0.005 else "0.00"


def _mark(row: VariantRow) -> str:
    return MARK if row.unstable else ""


def _notes(report: CompressionReport) -> list[str]:
    machine = report.machine
    first = report.rows[0].name
    notes = [
        f"{report.metric} of the server's answers to {report.examples:,} examples; the loss is "
        f"against {first}, below 0 where points were gained. Size: the engine's files. QPS: "
        f"requests of one text a second at concurrency 32; p50 and p99: latency at concurrency 1. "
        f"All variants were in one server and took turns: medians of {report.rounds} rounds of "
        f"{report.seconds:g} s, on {report.texts:,} texts of the dev data. Speed-up: QPS over that "
        f"of {first}, round by round, median (range).",
        f"{report.started_at[:10]}, {machine.cores} cores of {machine.processor}, "
        f"{machine.memory_bytes / _GIB:.0f} GiB, {machine.system}"
        + (f", {machine.accelerator}" if machine.accelerator else "")
        + (f", commit {report.commit}" if report.commit else "")
        + ". "
        + ", ".join(f"{name} {version}" for name, version in machine.versions.items())
        + ".",
    ]
    differing = [row for row in report.rows if row.precision in ("bf16", "fp16")]
    if differing:
        words = "; ".join(f"{row.name} {row.largest_difference:.3f}" for row in differing)
        notes.append(f"Largest difference of a logit from the checkpoint's: {words}.")
    unstable = [f"{row.name}: {'; '.join(row.unstable)}." for row in report.rows if row.unstable]
    if unstable:
        notes.append(f"{MARK} Not to be trusted:\n" + "\n".join(f"- {one}" for one in unstable))
    return notes
