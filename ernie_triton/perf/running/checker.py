"""Check answers while the server is under load, each against its answer before the load."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ernie_triton.errors import ClientError, WrongAnswerError
from ernie_triton.perf.analyzer.texts import TextRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SoloAnswer:
    """A row with its answer without load."""

    row: TextRow
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Rows to ask, and the expected answers.

    Attributes:
        solos: rows with their solo answers.
        ask: returns the answer to a row, now.
        equal: tells whether an answer is the solo answer, within a tolerance.
        tolerance: largest difference of a score.
        per_second: rows asked each second.
    """

    solos: Sequence[SoloAnswer]
    ask: Callable[[TextRow], Any]
    equal: Callable[[Any, Any, float], bool]
    tolerance: float
    per_second: float


@dataclass(slots=True)
class Checked:
    """Findings of a check.

    Attributes:
        answers: number of compared rows.
        difference: the first answer that differs, with its row and solo answer; empty for none.
        failures: number of requests without an answer, by reason.
    """

    answers: int = 0
    difference: str = ""
    failures: dict[str, int] = field(default_factory=dict)

    def raise_difference(self) -> None:
        """Raise the difference, where there is one.

        Raises:
            WrongAnswerError: an answer differed.
        """
        if self.difference:
            raise WrongAnswerError(self.difference)


class Checker:
    """A context manager that asks and compares from a thread of its own."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask_until_done, daemon=True)
        self.found = Checked()

    def __enter__(self) -> "Checker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask_until_done(self) -> None:
        place = 0
        while not self._done.wait(1.0 / self._check.per_second) and not self.found.difference:
            solo = self._check.solos[place % len(self._check.solos)]
            place += 1
            try:
                answer = self._check.ask(solo.row)
            except ClientError as error:
                reason = type(error).__name__
                self.found.failures[reason] = self.found.failures.get(reason, 0) + 1
                continue
            self.found.answers += 1
            if not self._check.equal(solo.answer, answer, self._check.tolerance):
                self.found.difference = difference_of(solo, answer)


def difference_of(solo: SoloAnswer, answer: Any) -> str:  # noqa: ANN401 - of any task
    """Describe both answers and the row, in one line."""
    texts = " | ".join(solo.row)
    return (
        f"an answer under load differs from the solo answer; text: {texts!r}; alone: "
        f"{solo.answer!r}; under load: {answer!r}"
    )
