"""A joined pipeline tells the server what each of its parts has done."""

from __future__ import annotations

import os

import pytest

from ernie_triton.stages.part_counts import PartCounts, PartSums, sums_of_metrics
from tests.backends.fake_triton import MetricFamily

OLD = 'model="old_engine",pipeline="old",process="7",stage="engine"'
OTHERS = f"""nv_inference_count{{model="news",version="1"}} 7
ernie_triton_stage_rows_total{{{OLD}}} 9
"""


def test_what_changed_is_told_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from ernie_triton.backends import part_metrics

    monkeypatch.setattr(part_metrics, "_EVERY_S", 0.001)
    monkeypatch.setattr(MetricFamily, "all", {})
    counts = PartCounts()
    metrics = part_metrics.PartMetrics("news@0123456789ab", counts)
    for _ in range(100):
        counts.add("engine", 0.5, requests=2, rows=3, tokens=40)
    metrics.close()
    sums = sums_of_metrics(MetricFamily.text() + OTHERS, "news@0123456789ab")
    engine = PartSums(
        requests=200, runs=100, rows=300, tokens=4000, seconds=50, request_seconds=100
    )
    assert sums == {"tokenizer": PartSums(), "engine": engine, "postprocess": PartSums()}
    names = [metric.labels for metric in MetricFamily.all.values()]
    assert {labels["pipeline"] for labels in names} == {"news"}
    assert {labels["process"] for labels in names} == {str(os.getpid())}


def test_processes_of_one_pipeline_add_up() -> None:
    text = OTHERS + OTHERS.replace('process="7"', 'process="8"')
    assert sums_of_metrics(text, "old") == {"engine": PartSums(rows=18)}
    assert sums_of_metrics(text, "news") == {}
