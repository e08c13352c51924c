"""A figure that no answer fell into is taken again, longer."""

from collections.abc import Callable

import pytest

from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.analyzer.generator import (
    AnalyzerLapseError,
    AnalyzerOutcome,
    LoadGenerator,
)
from ernie_triton.perf.analyzer.load_test import LoadTest
from ernie_triton.perf.analyzer.output import AnalyzerFigures
from ernie_triton.perf.results import Latency, RequestLoad

LOAD = RequestLoad(mode="concurrency", level=2.0)
LOAD_TEST = LoadTest(url="a:1", model="m", inputs=("text",), rows=[("好",)], seconds=3.0)
Fake = Callable[..., list[str]]


@pytest.fixture
def analyzer(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """`analyzer(reason)`: perf_analyzer fails so the first time; the list has its intervals."""

    def install(reason: str, kind: type[AnalyzerError] = AnalyzerError) -> list[str]:
        intervals: list[str] = []

        def outcome(generator: LoadGenerator) -> AnalyzerOutcome:
            options = list(generator._run.options)
            intervals.append(options[options.index("--measurement-interval") + 1])
            if len(intervals) == 1:
                raise kind(reason)
            latency = Latency(mean_us=1, p50_us=1, p90_us=1, p95_us=1, p99_us=1)
            figures = AnalyzerFigures(
                rows_per_second=7.0, latency=latency, windows=(), delayed_percent=0.0
            )
            return AnalyzerOutcome(figures=figures, windows=3)

        monkeypatch.setattr(LoadGenerator, "__enter__", lambda self: self)
        monkeypatch.setattr(LoadGenerator, "is_running", lambda *_: False)
        monkeypatch.setattr(LoadGenerator, "outcome", outcome)
        return intervals

    return install


def test_windows_without_answers_are_made_longer_once(analyzer: Fake) -> None:
    intervals = analyzer("No valid requests recorded. Please use a larger time window.")
    assert LOAD_TEST.figures(LOAD).rows_per_second == 7.0
    assert intervals == ["1000", "5000"]


def test_a_failure_of_perf_analyzer_s_own_is_tried_again(analyzer: Fake) -> None:
    intervals = analyzer("failed to find the requested model version", AnalyzerLapseError)
    assert LOAD_TEST.figures(LOAD).rows_per_second == 7.0
    assert intervals == ["1000", "1000"]


def test_any_other_failure_is_a_failure(analyzer: Fake) -> None:
    intervals = analyzer("unknown model")
    with pytest.raises(AnalyzerError, match="unknown model"):
        LOAD_TEST.figures(LOAD)
    assert intervals == ["1000"]
