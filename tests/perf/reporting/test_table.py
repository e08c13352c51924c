"""Tables of results, against figures worked out by hand."""

import csv
import dataclasses
import io
import json

from ernie_triton.perf.reporting.notes import heading_of
from ernie_triton.perf.reporting.table import result_table
from tests.perf.runs import a_measurement, a_run

# 1 + 2 + 0.4 ms less the queue: 0.1 + 2 + 0.4.
STAGE_MS = 2.5

STABLE = a_measurement(subject="nano int8", level=8, qps=1234.56, p50_ms=6.5, batch_size=4)


def test_text_has_units_and_leaves_out_what_nobody_measured() -> None:
    head, rule, line = result_table([STABLE]).text().splitlines()
    assert head.split("  ")[0] == "subject"
    assert set(rule) == {"-", " "}
    assert "p99 ms" in head
    assert "accuracy" not in head
    for cell in ("nano int8", "concurrency 8, batch 4", "1,234.6", "4,938.2", "6.50", "13.00"):
        assert cell in line


def test_markdown_aligns_numbers_to_the_right() -> None:
    head, rule, line = result_table([STABLE]).markdown().splitlines()
    assert head.startswith("| subject | load | QPS |")
    assert rule.startswith("| --- | --- | ---: |")
    assert line.count("|") == head.count("|") == rule.count("|")


def test_csv_has_every_column_unrounded() -> None:
    table = result_table([STABLE], is_brief=False)
    (record,) = csv.DictReader(io.StringIO(table.csv()))
    assert float(record["qps"]) == 1234.56
    assert float(record["rows_per_s"]) == 4 * 1234.56
    assert float(record["mean_ms"]) == 6.5 * 1.1
    assert float(record["engine_ms"]) == STAGE_MS
    assert float(record["queue_ms"]) == 3.0
    assert float(record["engine_mib"]) == 300
    assert record["accuracy"] == ""
    assert record["stable"] == "yes"


def test_json_has_null_where_there_is_no_value() -> None:
    (record,) = json.loads(result_table([STABLE], is_brief=False).json())
    assert record["accuracy"] is None
    assert record["p99_ms"] == 13.0
    assert record["checked_answers"] == 40


def test_the_heading_tells_where_when_and_what_failed() -> None:
    heading = heading_of([a_run(STABLE, failures=("nano int8, concurrency 64: refused",))])
    for words in ("ERNIE on CPU", "2026-11-22", "2 cores of a processor", "0123456789ab"):
        assert words in heading
    assert "No figures: nano int8, concurrency 64: refused." in heading


def test_an_unstable_figure_is_marked_with_its_reasons() -> None:
    marked = dataclasses.replace(STABLE, unstable=("noise", "other programs | more"))
    assert result_table([marked]).text().splitlines()[-1].endswith("NO")
    line = result_table([marked], is_brief=False).markdown().splitlines()[-1]
    assert "noise; other programs \\| more" in line
