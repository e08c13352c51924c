"""Figures become rows: medians, losses, and speed-ups round by round."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.perf.compression_report.content import report_rows
from ernie_triton.perf.compression_report.measuring import VariantFigures
from ernie_triton.perf.compression_report.variants import Built, Variant
from tests.build.publish.manifests import MADE


def built(model: str, precision: str) -> Built:
    variant = Variant(model=model, checkpoint=Path("checkpoint"), precision=precision)
    return Built(variant=variant, manifest=MADE)


def evaluation(points: float) -> Evaluation:
    return Evaluation(metric="accuracy", points=points, examples=10, figures={})


def figures(qps: list[float], **more: Any) -> VariantFigures:
    return VariantFigures(qps=qps, p50_ms=[5.0, 4.0, 6.0], p99_ms=[9.0, 8.0, 12.0], **more)


def test_speed_ups_are_of_the_same_round_and_losses_of_the_first_variant() -> None:
    slow, fast = figures([100.0, 50.0, 200.0]), figures([300.0, 100.0, 500.0])
    first, second = report_rows(
        [built("original", "fp32"), built("pruned", "fp32")],
        [slow, fast],
        [evaluation(95.0), evaluation(94.25)],
    )
    # Medians are 100 and 300, but no round was three times as fast but the first.
    assert (second.speed_up.median, second.speed_up.lowest, second.speed_up.highest) == (2.5, 2, 3)
    assert first.speed_up.median == 1.0
    assert (first.lost, second.lost) == (0.0, 0.75)
    assert (second.qps.median, second.p50_ms.median, second.p99_ms.median) == (300, 5, 9)
    made = MADE
    assert second.parameters == made.model.parameters
    assert second.size_bytes == made.engine.size_bytes


@pytest.mark.parametrize(("count", "marked"), [(0, False), (1, False), (2, True), (3, True)])
def test_what_is_odd_in_most_rounds_is_marked(count: int, marked: bool) -> None:
    unstable = Counter({"at concurrency 32 windows differed": count})
    (row,) = report_rows(
        [built("original", "fp32")],
        [figures([1.0, 1.0, 1.0], unstable=unstable)],
        [evaluation(95.0)],
    )
    expected = (f"at concurrency 32 windows differed in {count} of 3 rounds",) if marked else ()
    assert row.unstable == expected
