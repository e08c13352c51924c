"""Each limit, broken alone."""

import dataclasses

import pytest

from ernie_triton.perf.analyzer.output import AnalyzerFigures, AnalyzerWindow
from ernie_triton.perf.analyzer.watch import Sighting
from ernie_triton.perf.results import Latency, RequestLoad
from ernie_triton.perf.running.checker import Checked
from ernie_triton.perf.running.scenario import Stability
from ernie_triton.perf.running.stability import not_settled, reasons

LIMITS = Stability(variation_percent=10, other_cores=0.2, delayed_percent=1)
CLOSED = RequestLoad(mode="concurrency", level=8)
OPEN = RequestLoad(mode="request_rate", level=100)


def figures(
    *windows: tuple[float, float], rate: float = 100, delayed: float = 0
) -> AnalyzerFigures:
    return AnalyzerFigures(
        requests=900,
        rows_per_second=rate,
        latency=Latency(mean_us=1, p50_us=1, p90_us=1, p95_us=1, p99_us=1),
        windows=tuple(AnalyzerWindow(rows_per_second=one, mean_us=two) for one, two in windows),
        delayed_percent=delayed,
    )


CALM = figures((100, 1000), (104, 1020), (101, 1050))
QUIET = Sighting(server_cores=1.5, other_cores=0.1)


def found(
    load: RequestLoad,
    measured: AnalyzerFigures,
    sighting: Sighting = QUIET,
    checked: Checked | None = None,
) -> list[str]:
    return list(reasons(LIMITS, load, measured, sighting, checked or Checked(answers=5)))


@pytest.mark.parametrize("load", [CLOSED, OPEN])
def test_a_calm_measurement_has_no_reasons(load: RequestLoad) -> None:
    assert found(load, CALM) == []


def test_windows_of_a_closed_loop_must_agree_in_rate_and_in_latency() -> None:
    assert found(CLOSED, figures((100, 1000), (112, 1000), (100, 1000))) == [
        "the rate of the windows varied by 12 %, more than 10 %"
    ]
    assert found(CLOSED, figures((100, 1000), (100, 1500), (100, 1000))) == [
        "the mean latency of the windows varied by 50 %, more than 10 %"
    ]


def test_windows_of_poisson_arrivals_may_vary() -> None:
    assert found(OPEN, figures((80, 1000), (120, 1500), (100, 1100))) == []


def test_an_open_loop_must_answer_what_is_asked() -> None:
    # 900 requests: 3 deviations are 10 %, beside the limit's 10 %.
    assert found(OPEN, figures((81, 9), (81, 9), (81, 8), rate=81)) == []
    assert found(OPEN, figures((79, 9), (79, 9), (79, 8), rate=79)) == [
        "only 79 of 100 requests a second were answered"
    ]
    batches = dataclasses.replace(OPEN, batch_size=4)
    assert found(batches, figures((400, 9), (400, 9), (400, 8), rate=400)) == []


def test_a_latency_that_grows_in_an_open_loop_is_a_queue_that_grows() -> None:
    assert found(OPEN, figures((100, 1000), (100, 1800), (100, 2600))) == [
        "the latency grew from window to window, 2.6 times in all"
    ]


def test_requests_that_start_late_count_in_an_open_loop() -> None:
    late = dataclasses.replace(CALM, delayed_percent=2.5)
    assert found(OPEN, late) == ["2.5 % of the requests started late, more than 1 %"]
    assert found(CLOSED, late) == []


def test_other_programs_count_where_they_are_seen() -> None:
    assert found(CLOSED, CALM, Sighting(other_cores=0.75)) == [
        "other programs used 0.75 cores, more than 0.2"
    ]
    assert found(CLOSED, CALM, Sighting(other_cores=None)) == []


def test_checks_without_an_answer_count() -> None:
    checked = Checked(answers=3, failures={"QueueFullError": 2})
    assert found(CLOSED, CALM, checked=checked) == [
        "2 checked request(s) got no answer: QueueFullError"
    ]


def test_windows_that_never_settled_are_counted() -> None:
    assert not_settled(8, 10.0) == "perf_analyzer did not settle within 10 % in 8 windows"
