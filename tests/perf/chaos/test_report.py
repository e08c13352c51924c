"""The report of a run of faults: which failures a fault explains, and when a run has passed."""

import dataclasses
from collections import Counter

import pytest

from ernie_triton.perf.chaos.load import Failure, LoadCounts
from ernie_triton.perf.chaos.report import ChaosReport, ProcessFacts, Strike

KILLED = Strike(
    fault="stage killed",
    pipeline="news",
    hurts=True,
    done="SIGKILL to news_engine",
    struck_at=100.0,
    back_s=3.0,
)
FACTS = ProcessFacts(memory_bytes=700 << 20, descriptors=150)


def failure(pipeline: str = "news", sent_at: float = 101.0, ended_at: float = 102.0) -> Failure:
    return Failure(pipeline=pipeline, sent_at=sent_at, ended_at=ended_at, reason="Error: it broke")


def report_of(
    *failures: Failure, strike: Strike = KILLED, wrong: int = 0, lost: int = 0
) -> ChaosReport:
    found = LoadCounts(failures=list(failures), latencies_s=[(101.0, 0.010), (101.5, 0.030)])
    found.sent["news"] = 5 + len(failures) + lost + wrong
    found.right["news"] = 2
    found.refused = Counter({"too large": 2, "queue full": 1})
    found.wrong = wrong
    return ChaosReport(minutes=1.0, counts=found, strikes=[strike], before=FACTS, after=FACTS)


@pytest.mark.parametrize(
    ("failed", "explained"),
    [
        (failure(), True),
        (failure(sent_at=99.0, ended_at=100.5), True),  # under way when the stage was killed
        (failure(sent_at=102.9, ended_at=110.0), True),
        (failure(pipeline="pairs"), False),
        (failure(sent_at=98.0, ended_at=99.0), False),
        (failure(sent_at=103.5, ended_at=104.0), False),
    ],
)
def test_a_fault_explains_failures_of_its_pipeline_until_it_is_back(
    failed: Failure, explained: bool
) -> None:
    assert KILLED.explains(failed) is explained
    assert report_of(failed).passed is explained


def test_a_fault_that_should_hurt_nobody_explains_nothing() -> None:
    harmless = dataclasses.replace(KILLED, hurts=False)
    assert not harmless.explains(failure())
    assert not report_of(failure(), strike=harmless).passed


def test_one_wrong_or_lost_answer_fails_the_run() -> None:
    assert report_of().passed
    assert not report_of(wrong=1).passed
    assert not report_of(lost=1).passed


def test_a_pipeline_that_never_comes_back_fails_the_run() -> None:
    never = dataclasses.replace(KILLED, back_s=None)
    report = report_of(failure(sent_at=500.0, ended_at=501.0), strike=never)
    assert not report.passed
    assert "| stage killed | 1 | never | 1 |" in report.text()
    assert "- stage killed, news: SIGKILL to news_engine" in report.text()


def test_a_server_that_ended_fails_the_run_and_is_told() -> None:
    report = dataclasses.replace(report_of(), failure="tritonserver has ended")
    assert not report.passed
    assert "- tritonserver has ended" in report.text()


def test_the_report_names_numbers_and_reasons() -> None:
    text = report_of(failure(), failure(pipeline="pairs"), lost=1).text()
    assert "| answered right | 2 |" in text
    assert "| failed at a struck pipeline | 1 |" in text
    assert "| failed without a reason | 1 |" in text
    assert "| lost | 1 |" in text
    assert "| refused as it should be | 3 (queue full 1, too large 2) |" in text
    assert "| latency | p50 20.0 ms, p99 29.8 ms |" in text
    assert "| stage killed | 1 | 3.0 s (3.0 s) | 1 |" in text
    assert "- 1x pairs: Error: it broke" in text
