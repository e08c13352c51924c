"""Answers checked under load, with a server in memory."""

import time
from collections.abc import Callable

import pytest

from ernie_triton.errors import QueueFullError, WrongAnswerError
from ernie_triton.perf.analyzer.texts import TextRow
from ernie_triton.perf.running.checker import Check, Checker, SoloAnswer

SOLOS = [SoloAnswer(row=("甲",), answer=1.0), SoloAnswer(row=("乙", "丙"), answer=2.0)]


def check(ask: Callable[[TextRow], float]) -> Check:
    return Check(
        solos=SOLOS,
        ask=ask,
        equal=lambda one, other, tolerance: abs(one - other) <= tolerance,
        tolerance=0.1,
        per_second=1000.0,
    )


def run_until(checker: Checker, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    with checker:
        while not done() and time.monotonic() < deadline:
            time.sleep(0.005)
    assert done()


def test_equal_answers_are_counted_row_after_row() -> None:
    asked: list[TextRow] = []

    def ask(row: TextRow) -> float:
        asked.append(row)
        return {"甲": 1.05, "乙": 1.95}[row[0]]

    checker = Checker(check(ask))
    run_until(checker, lambda: checker.found.answers >= 4)
    assert asked[:4] == [("甲",), ("乙", "丙"), ("甲",), ("乙", "丙")]
    checker.found.raise_difference()


def test_an_answer_that_differs_stops_the_checks_with_the_text_and_both_answers() -> None:
    checker = Checker(check(lambda _: 1.0))
    run_until(checker, lambda: bool(checker.found.difference))
    assert checker.found.answers == 2
    with pytest.raises(WrongAnswerError) as raised:
        checker.found.raise_difference()
    assert str(raised.value) == (
        "an answer under load differs from the solo answer; text: '乙 | 丙'; alone: 2.0; under "
        "load: 1.0"
    )


def test_a_request_without_an_answer_is_counted_by_its_reason() -> None:
    def ask(row: TextRow) -> float:
        if row == ("甲",):
            raise QueueFullError("full")
        return 2.0

    checker = Checker(check(ask))
    run_until(checker, lambda: checker.found.answers >= 2)
    assert set(checker.found.failures) == {"QueueFullError"}
    assert checker.found.failures["QueueFullError"] >= 2
    checker.found.raise_difference()
