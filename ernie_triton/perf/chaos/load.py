"""Ask every pipeline from several threads, and count right, refused, failed and wrong answers."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ernie_triton.errors import ClientError, RequestRefusedError
from ernie_triton.perf.chaos.subjects import ChaosSubject
from ernie_triton.perf.running.checker import SoloAnswer, difference_of

_BAD_SHARE = 0.02
_NOT_UTF8 = b"\xe4\xb8"
_SHOWN_DIFFERENCES = 3

RightAnswers = Mapping[str, Sequence[Sequence[SoloAnswer]]]
"""For each pipeline, one list of solo answers a build that may be live; rows in the same order."""


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
        refused: bad requests that were refused, as they should be.
        failures: requests that failed.
        differences: the first wrong answers, as text.
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
                self._send_bad_request(subject)
            else:
                self._ask(subject, clients[subject.name], chance)

    def _ask(self, subject: ChaosSubject, client: Any, chance: random.Random) -> None:  # noqa: ANN401
        builds = self._right[subject.name]
        row = chance.randrange(len(builds[0]))
        solos = [build[row] for build in builds]
        sent_at = time.monotonic()
        try:
            answer = subject.comparison.ask(client, solos[0].row)
        except ClientError as error:
            self._failed(subject, sent_at, error)
            return
        ended_at = time.monotonic()
        is_right = subject.is_right(answer, solos)
        with self._lock:
            if is_right:
                self.counts.right[subject.name] += 1
                self.counts.latencies_s.append((ended_at, ended_at - sent_at))
                return
            self.counts.wrong += 1
            if len(self.counts.differences) < _SHOWN_DIFFERENCES:
                self.counts.differences.append(difference_of(solos[0], answer))

    def _send_bad_request(self, subject: ChaosSubject) -> None:
        """Send bytes that are no text; whatever is not refused counts as a failure or as wrong."""
        sent_at = time.monotonic()
        try:
            subject.send(self._url, [[_NOT_UTF8]] * len(subject.inputs), self._timeout_s)
        except RequestRefusedError as error:
            if "UTF-8" not in str(error):
                self._failed(subject, sent_at, error)
                return
            with self._lock:
                self.counts.refused[subject.name] += 1
            return
        except ClientError as error:
            self._failed(subject, sent_at, error)
            return
        with self._lock:
            self.counts.wrong += 1
            self.counts.differences.append(f"{subject.name} answered bytes that are not UTF-8")

    def _failed(self, subject: ChaosSubject, sent_at: float, error: ClientError) -> None:
        failure = Failure(
            pipeline=subject.name,
            sent_at=sent_at,
            ended_at=time.monotonic(),
            reason=f"{type(error).__name__}: {error}",
        )
        with self._lock:
            self.counts.failures.append(failure)
