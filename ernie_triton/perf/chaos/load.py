"""Ask every pipeline from several threads, and count right, refused, failed and wrong answers."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ernie_triton.errors import ClientError, QueueFullError, RequestRefusedError
from ernie_triton.perf.chaos.subjects import ChaosSubject
from ernie_triton.perf.running.checker import SoloAnswer, difference_of
from ernie_triton.settings import DEFAULT_TEXT_BYTES

_BAD_SHARE = 0.02
BAD_TEXTS = {
    "not UTF-8": (b"\xe4\xb8", "UTF-8"),
    "too large": (b"x" * (DEFAULT_TEXT_BYTES + 1), "bytes; expected at most"),
}
"""Texts that are to be refused, each with words of the refusal."""

FULL_QUEUE = "queue full"
_SHOWN_DIFFERENCES = 3

RightAnswers = Mapping[str, Sequence[SoloAnswer]]
"""The solo answers of each pipeline; its builds answer alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A request without the answer that it should have had.

    Attributes:
        pipeline: that was asked.
        sent_at, ended_at: seconds of the monotonic clock.
        reason: the kind of error, and its message.
    """

    pipeline: str
    sent_at: float
    ended_at: float
    reason: str


@dataclass(slots=True)
class LoadCounts:
    """Findings of the load.

    Attributes:
        sent: requests that were sent.
        right: answers equal to a solo answer.
        refused: requests that were refused as they should be, by reason: that of the bad texts,
            and `FULL_QUEUE`.
        failures: requests that failed.
        differences: the first wrong answers, as text, with pipeline and time of day.
        wrong: number of wrong answers.
        latencies_s: of each right answer: when it came, and how long it took.
    """

    sent: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    wrong: int = 0
    latencies_s: list[tuple[float, float]] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Requests that never came back."""
        told = self.right.total() + self.refused.total() + len(self.failures) + self.wrong
        return self.sent.total() - told


class MixedLoad:
    """A context manager that asks from several threads until it is left."""

    def __init__(
        self,
        url: str,
        subjects: Sequence[ChaosSubject],
        right: RightAnswers,
        *,
        threads: int,
        timeout_s: float,
        retries: int,
    ) -> None:
        """Prepare the load; nothing is sent before the context is entered.

        Args:
            url: the server's gRPC address.
            subjects: the pipelines to ask, all as often.
            right: their right answers.
            threads: requests under way at a time.
            timeout_s: for each request.
            retries: of the clients.
        """
        self._url, self._subjects, self._right = url, subjects, right
        self._timeout_s, self._retries = timeout_s, retries
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._ask_until_done, args=(seed,), daemon=True)
            for seed in range(threads)
        ]
        self.counts = LoadCounts()

    def __enter__(self) -> "MixedLoad":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        deadline = time.monotonic() + 2 * self._timeout_s
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))

    def _ask_until_done(self, seed: int) -> None:
        chance = random.Random(seed)
        clients = {
            subject.name: subject.client(
                self._url, timeout_s=self._timeout_s, retries=self._retries
            )
            for subject in self._subjects
        }
        while not self._done.is_set():
            subject = chance.choice(self._subjects)
            with self._lock:
                self.counts.sent[subject.name] += 1
            if chance.random() < _BAD_SHARE:
                self.send_bad_text(subject, chance.choice(sorted(BAD_TEXTS)))
            else:
                self.ask(subject, clients[subject.name], chance.choice(self._right[subject.name]))

    def ask(self, subject: ChaosSubject, client: Any, solo: SoloAnswer) -> None:  # noqa: ANN401
        """Ask a row once, and count the answer."""
        sent_at = time.monotonic()
        try:
            answer = subject.comparison.ask(client, solo.row)
        except ClientError as error:
            self._failed(subject, sent_at, error)
            return
        ended_at = time.monotonic()
        is_right = subject.is_right(answer, solo)
        with self._lock:
            if is_right:
                self.counts.right[subject.name] += 1
                self.counts.latencies_s.append((ended_at, ended_at - sent_at))
                return
            self.counts.wrong += 1
            if len(self.counts.differences) < _SHOWN_DIFFERENCES:
                told = (
                    f"{subject.name} at {time.strftime('%H:%M:%S')}: {difference_of(solo, answer)}"
                )
                self.counts.differences.append(told)

    def send_bad_text(self, subject: ChaosSubject, kind: str) -> None:
        """Send a text that is to be refused; any other end is a failure, an answer is wrong."""
        text, words = BAD_TEXTS[kind]
        sent_at = time.monotonic()
        try:
            subject.send(self._url, [[text]] * len(subject.inputs), self._timeout_s)
        except RequestRefusedError as error:
            if words not in str(error):
                self._failed(subject, sent_at, error)
                return
            self._refused(kind)
            return
        except ClientError as error:
            self._failed(subject, sent_at, error)
            return
        with self._lock:
            self.counts.wrong += 1
            self.counts.differences.append(f"{subject.name} answered a text that is {kind}")

    def _refused(self, reason: str) -> None:
        with self._lock:
            self.counts.refused[reason] += 1

    def _failed(self, subject: ChaosSubject, sent_at: float, error: ClientError) -> None:
        if isinstance(error, QueueFullError):
            self._refused(FULL_QUEUE)
            return
        failure = Failure(
            pipeline=subject.name,
            sent_at=sent_at,
            ended_at=time.monotonic(),
            reason=f"{type(error).__name__}: {error}",
        )
        with self._lock:
            self.counts.failures.append(failure)
