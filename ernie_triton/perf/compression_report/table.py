"""The report's table, shaped as the ERNIE 3.0 toolkit publishes its own.

There: model, accuracy with the loss beside it, and speed with the speed-up beside it
(github.com/PaddlePaddle/PaddleNLP, model_zoo/ernie-3.0, "模型压缩").
"""

import csv
import dataclasses
import io
from collections.abc import Callable
from dataclasses import dataclass

from ernie_triton.perf.compression_report.content import Report, Row

_MIB = 1 << 20
_GIB = 1 << 30
MARK = "†"
"""Stands beside the speeds of a variant that are not to be trusted."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading with the unit, and its cell."""

    heading: str
    cell: Callable[[Row], str]


def columns_of(report: Report) -> tuple[Column, ...]:
    """The columns of the table for people."""
    return (
        Column("model", lambda row: row.name),
        Column(report.metric, lambda row: f"{row.points:.2f}"),
        Column("loss, points", _loss),
        Column("size, MiB", lambda row: f"{row.size_bytes / _MIB:.1f}"),
        Column("parameters, M", lambda row: f"{row.parameters / 1e6:.2f}"),
        Column("QPS", lambda row: f"{row.qps.median:,.0f}{_mark(row)}"),
        Column("p50, ms", lambda row: f"{row.p50_ms.median:.2f}{_mark(row)}"),
        Column("p99, ms", lambda row: f"{row.p99_ms.median:.2f}{_mark(row)}"),
        Column("speed-up", lambda row: f"{row.speed_up.text('x')}{_mark(row)}"),
    )


def markdown(report: Report) -> str:
    """The table with what has to be known of it, in GitHub's Markdown."""
    columns = columns_of(report)
    lines = [[column.heading for column in columns]]
    lines.append(["---", *("---:" for _ in columns[1:])])
    lines += [[column.cell(row) for column in columns] for row in report.rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([f"# {report.title}", table, *_notes(report)]) + "\n"


def csv_text(report: Report) -> str:
    """Every figure of every variant, unrounded; spreads as three columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    spreads = ("qps", "p50_ms", "p99_ms", "speed_up")
    plain = [one.name for one in dataclasses.fields(Row) if one.name not in (*spreads, "unstable")]
    parts = ("median", "lowest", "highest")
    names = [f"{name}_{part}" for name in spreads for part in parts]
    writer.writerow([*plain, *names, "unstable"])
    for row in report.rows:
        values = [getattr(row, name) for name in plain]
        values += [getattr(getattr(row, name), part) for name in spreads for part in parts]
        writer.writerow([*values, "; ".join(row.unstable)])
    return text.getvalue()


def _loss(row: Row) -> str:
    return f"{row.lost:.2f}" if abs(row.lost) >= 0.005 else "0.00"


def _mark(row: Row) -> str:
    return MARK if row.unstable else ""


def _notes(report: Report) -> list[str]:
    machine = report.machine
    first = report.rows[0].name
    notes = [
        f"{report.metric} on {report.examples:,} examples, as the server answers them; the loss is "
        f"against {first}, below 0 where points were gained. Size: of the engine's files. QPS: "
        f"requests of one text a second, 32 always under way; p50 and p99: latency of a request "
        f"that is alone. All variants were in one server and took turns: medians of "
        f"{report.rounds} rounds of {report.seconds:g} s, on {report.texts:,} texts of the dev "
        f"data. Speed-up: of the QPS against {first}, round by round, median (range).",
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
