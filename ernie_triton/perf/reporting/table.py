"""Write results as a table: for a terminal, and as Markdown, CSV and JSON."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ernie_triton.perf.results import Measurement
from ernie_triton.text_table import Table

_Value = str | float | int | None
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: heading with the unit, key in CSV and JSON, value, digits."""

    heading: str
    key: str
    value: Callable[[Measurement], _Value]
    digits: int = 0
    is_brief: bool = True


def _stage_ms(stage: str) -> Callable[[Measurement], _Value]:
    def value(found: Measurement) -> _Value:
        times = found.stages.get(stage)
        if times is None:
            return None
        return (times.input_us + times.compute_us + times.output_us) / 1e3

    return value


def _engine_batch(found: Measurement) -> _Value:
    return found.stages["engine"].batch if "engine" in found.stages else None


def _queue_ms(found: Measurement) -> _Value:
    if not found.stages:
        return None
    return sum(times.queue_us for times in found.stages.values()) / 1e3


def _memory_mib(found: Measurement) -> _Value:
    return None if found.server_memory_bytes is None else found.server_memory_bytes / _MIB


def _engine_memory_mib(found: Measurement) -> _Value:
    memory = found.stage_memory_bytes.get("engine")
    return None if memory is None else memory / _MIB


COLUMNS = (
    _Column("subject", "subject", lambda found: found.subject.name),
    _Column("load", "load", lambda found: str(found.load)),
    _Column("QPS", "qps", lambda found: found.qps, 1),
    _Column("rows/s", "rows_per_s", lambda found: found.qps * found.load.batch_size, 1),
    _Column("mean ms", "mean_ms", lambda found: found.latency.mean_us / 1e3, 2, is_brief=False),
    _Column("p50 ms", "p50_ms", lambda found: found.latency.p50_us / 1e3, 2),
    _Column("p90 ms", "p90_ms", lambda found: found.latency.p90_us / 1e3, 2, is_brief=False),
    _Column("p95 ms", "p95_ms", lambda found: found.latency.p95_us / 1e3, 2, is_brief=False),
    _Column("p99 ms", "p99_ms", lambda found: found.latency.p99_us / 1e3, 2),
    _Column("queue ms", "queue_ms", _queue_ms, 2, is_brief=False),
    _Column("tokenizer ms", "tokenizer_ms", _stage_ms("tokenizer"), 2, is_brief=False),
    _Column("engine ms", "engine_ms", _stage_ms("engine"), 2, is_brief=False),
    _Column("postprocess ms", "postprocess_ms", _stage_ms("postprocess"), 2, is_brief=False),
    _Column("engine batch", "engine_batch", _engine_batch, 1),
    _Column("server cores", "server_cores", lambda found: found.server_cores, 2),
    _Column("server MiB", "server_mib", _memory_mib, 0),
    _Column("engine MiB", "engine_mib", _engine_memory_mib, 0, is_brief=False),
    _Column("other cores", "other_cores", lambda found: found.other_load, 2, is_brief=False),
    _Column("accuracy", "accuracy", lambda found: found.subject.accuracy, 4),
    _Column("checked", "checked_answers", lambda found: found.checked_answers),
    _Column("stable", "stable", lambda found: "NO" if found.unstable else "yes"),
    _Column("unstable for", "unstable", lambda found: "; ".join(found.unstable), is_brief=False),
)


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Measurements with the columns to show."""

    columns: tuple[_Column, ...]
    measurements: tuple[Measurement, ...]

    def text(self) -> str:
        """Return aligned lines; columns without a value are left out."""
        columns = self._filled()
        lines = Table([column.heading for column in columns]).lines(self._cells(columns))
        return "\n".join(lines)

    def markdown(self) -> str:
        """Return a table of GitHub's Markdown, numbers to the right."""
        columns = self._filled()
        head = [column.heading for column in columns]
        rule = [
            "---:"
            if any(isinstance(column.value(one), (int, float)) for one in self.measurements)
            else "---"
            for column in columns
        ]
        rows = [head, rule, *self._cells(columns)]
        return "\n".join("| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in rows)

    def csv(self) -> str:
        """Return CSV of all columns by their keys, numbers unrounded."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.key for column in self.columns])
        for found in self.measurements:
            writer.writerow(["" if value is None else value for value in self._values(found)])
        return text.getvalue()

    def json(self) -> str:
        """Return a JSON list, an object for each measurement, null where there is no value."""
        keys = [column.key for column in self.columns]
        records = [dict(zip(keys, self._values(found), strict=True)) for found in self.measurements]
        return json.dumps(records, ensure_ascii=False, indent=2) + "\n"

    def _values(self, found: Measurement) -> list[_Value]:
        return [column.value(found) for column in self.columns]

    def _filled(self) -> tuple[_Column, ...]:
        return tuple(
            column
            for column in self.columns
            if any(column.value(found) not in (None, "") for found in self.measurements)
        )

    def _cells(self, columns: Sequence[_Column]) -> list[list[str]]:
        return [
            [_cell(column.value(found), column.digits) for column in columns]
            for found in self.measurements
        ]


def result_table(measurements: Sequence[Measurement], *, is_brief: bool = True) -> ResultTable:
    """Make a table of the columns that fit a terminal, or of all."""
    columns = tuple(column for column in COLUMNS if column.is_brief or not is_brief)
    return ResultTable(columns=columns, measurements=tuple(measurements))


def _cell(value: _Value, digits: int) -> str:
    if value is None:
        return ""
    return f"{value:,.{digits}f}" if isinstance(value, (int, float)) else value


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
