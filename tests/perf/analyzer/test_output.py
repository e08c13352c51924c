"""What perf_analyzer 2.51.0 really wrote, kept in `captured/`, against what a reader sees there."""

from pathlib import Path

import pytest

from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.analyzer.output import (
    AnalyzerWindow,
    did_not_settle,
    failure_from,
    figures_from,
    was_lapse,
    window_was_too_short,
    windows_from,
)
from ernie_triton.perf.results import Latency

CAPTURED = Path(__file__).parent / "captured"


def captured(name: str) -> str:
    return (CAPTURED / name).read_text(encoding="utf-8")


def test_a_closed_loop_is_read() -> None:
    figures = figures_from(captured("closed.csv"), captured("closed.out"))
    assert figures.rows_per_second == pytest.approx(415.996)
    assert figures.latency == Latency(
        mean_us=19125, p50_us=17997, p90_us=28712, p95_us=32289, p99_us=39448
    )
    assert len(figures.windows) == 3
    assert figures.delayed_percent == 0


def test_an_open_loop_of_several_rows_a_request_is_read() -> None:
    figures = figures_from(captured("open.csv"), captured("open.out"))
    assert figures.rows_per_second == pytest.approx(135.994)
    assert figures.requests == 198
    assert figures.delayed_percent == pytest.approx(2.53)
    assert figures.windows == (
        AnalyzerWindow(rows_per_second=128.555, mean_us=25883),
        AnalyzerWindow(rows_per_second=121.884, mean_us=12326),
        AnalyzerWindow(rows_per_second=157.274, mean_us=22111),
    )
    assert figures.variation == pytest.approx(157.274 / 121.884 - 1)
    assert figures.latency_variation == pytest.approx(25883 / 12326 - 1)


def test_requests_that_started_late_are_seen() -> None:
    figures = figures_from(captured("late.csv"), captured("late.out"))
    assert figures.delayed_percent == pytest.approx(99.35)


def test_windows_that_kept_differing_are_no_failure() -> None:
    assert did_not_settle(captured("unsettled.err"))
    assert len(windows_from(captured("unsettled.out"))) == 4
    assert not did_not_settle(captured("refused.err"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("refused.err", "in ensemble 'ernie_seqcls', Exceeds maximum queue size"),
        (
            "missing.err",
            "error: failed to get model metadata: Request for unknown model: 'nothing' is not "
            "found",
        ),
    ],
)
def test_a_failure_says_why_in_one_line(name: str, reason: str) -> None:
    assert failure_from(captured(name), "") == reason


def test_a_window_without_an_answer_is_told_from_other_failures() -> None:
    assert window_was_too_short(captured("short_window.err"))
    assert not window_was_too_short(captured("refused.err"))
    assert was_lapse("failed to find the requested model version\n")
    assert not was_lapse(captured("missing.err"))


def test_a_failure_without_a_word_is_one_too() -> None:
    assert failure_from("", "") == "it gave no reason"


def test_a_file_without_the_columns_or_lines_is_refused() -> None:
    with pytest.raises(AnalyzerError, match="no figure under 'Avg latency'"):
        figures_from(captured("closed.csv").replace("Avg latency", "Mean"), "")
    with pytest.raises(AnalyzerError, match="has 0 lines of figures"):
        figures_from("", "")
