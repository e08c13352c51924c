"""Run requests that are much longer than usual between the batches after them.

Their rows run a few at a time and in turns. A short request waits for one small run at most,
whatever the length of the long one: a text of many windows, or many rows.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from ernie_triton.arrays import Outputs
from ernie_triton.batch import TokenBatch, join_batches, split_rows

_Found = TypeVar("_Found")
_Made = TypeVar("_Made")

_TIMES_LONGER = 3
"""A request is deferred if it has more than this many times the tokens of the usual one."""

_RECENT = 64
"""The usual request is the median of this many: if all are long, none is deferred."""

_RUN_CELLS = 256
"""Cells, rows times longest row, of one run of deferred rows: a batch waits for one such run. Two
rows of 128 tokens take Medium in INT8 23 ms, 11.3 a row, where sixteen at once take 9.5 a row."""

_MOST_REQUESTS = 32
"""Requests that are deferred at a time. Further ones run with their batch, so that the others wait
in the server's queue, with its bounds and deadlines."""


@dataclass(slots=True, eq=False)
class _Request:
    """A deferred request: the rows still to run, and the outputs of those that ran."""

    rows: deque[TokenBatch]
    future: Future[Outputs] = field(default_factory=Future)
    parts: list[Outputs] = field(default_factory=list)


class FairLock:
    """A lock that goes to whoever has waited longest.

    `threading.Lock` goes to whoever comes first: a thread that releases it and wants it again gets
    it before another is awake.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_held = False
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return
            handed_over = threading.Event()
            self._waiting.append(handed_over)
        handed_over.wait()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_held = False


class DeferredRows:
    """Run the rows of deferred requests in a thread, in turns with the batches.

    Attributes:
        engine: lock to hold while a batch runs; the thread releases it after each of its runs.
    """

    def __init__(self, run: Callable[[TokenBatch], Outputs], *, is_per_token: bool) -> None:
        """Start nothing yet.

        Args:
            run: the engine.
            is_per_token: whether its outputs are [tokens, …] instead of [rows, …].
        """
        self.engine = FairLock()
        self._run = run
        self._is_per_token = is_per_token
        self._waiting: deque[_Request] = deque()
        self._unanswered = 0
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._is_closed = False
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def choose(self, tokens: Sequence[int]) -> list[int]:
        """Places of the requests to defer, from the token count of each request of a batch."""
        self._recent.extend(tokens)
        usual = sorted(self._recent)[(len(self._recent) - 1) // 2]
        room = _MOST_REQUESTS - self._unanswered
        longer = (place for place, count in enumerate(tokens) if count > _TIMES_LONGER * usual)
        return list(itertools.islice(longer, room))

    def submit(self, batch: TokenBatch) -> Future[Outputs]:
        """Run a request's rows later; the outputs are those of one batch."""
        request = _Request(deque(batch.each_row()))
        with self._change:
            self._unanswered += 1
            self._waiting.append(request)
            self._change.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="deferred", daemon=True)
                self._thread.start()
        return request.future

    def close(self) -> None:
        """Wait until all requests are answered."""
        with self._change:
            self._is_closed = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while chosen := self._next_rows():
            requests, rows = zip(*chosen, strict=True)
            try:
                batch = join_batches(rows)
                with self.engine:
                    outputs = self._run(batch)
                counts = batch.lengths.tolist() if self._is_per_token else [1] * batch.rows
                for request, part in zip(requests, split_rows(outputs, counts), strict=True):
                    request.parts.append(part)
                ended = [request for request in dict.fromkeys(requests) if not request.rows]
                found = [_concatenated(request.parts) for request in ended]
            except Exception as error:
                self._fail(set(requests), error)
                continue
            for request, whole in zip(ended, found, strict=True):
                self._answered(request).set_result(whole)

    def _next_rows(self) -> list[tuple[_Request, TokenBatch]]:
        """Rows of the next run, one of each request in turn; empty when all is done."""
        chosen: list[tuple[_Request, TokenBatch]] = []
        longest = 0
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._is_closed)
            while self._waiting:
                longest = max(longest, len(self._waiting[0].rows[0].input_ids))
                if chosen and (len(chosen) + 1) * longest > _RUN_CELLS:
                    break
                request = self._waiting.popleft()
                chosen.append((request, request.rows.popleft()))
                if request.rows:
                    self._waiting.append(request)
        return chosen

    def _fail(self, requests: set[_Request], error: Exception) -> None:
        with self._change:
            self._waiting = deque(one for one in self._waiting if one not in requests)
        for request in requests:
            self._answered(request).set_exception(error)

    def _answered(self, request: _Request) -> Future[Outputs]:
        with self._change:
            self._unanswered -= 1
        return request.future


def then(found: Future[_Found], step: Callable[[_Found], _Made]) -> Future[_Made]:
    """A future of `step` on the result of `found`; it fails if either does."""
    made: Future[_Made] = Future()

    def finish(done: Future[_Found]) -> None:
        try:
            made.set_result(step(done.result()))
        except Exception as error:
            made.set_exception(error)

    found.add_done_callback(finish)
    return made


def _concatenated(parts: Sequence[Outputs]) -> Outputs:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
