"""Write a line for each request of a stage, without keeping a request waiting for it.

A thread makes and writes the lines. Where it cannot keep up, or nobody reads them, lines are left
out and counted.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from ernie_triton.arrays import Tensors
from ernie_triton.log_lines import log_line
from ernie_triton.log_settings import LogSettings

_MOST_WAITING = 10_000
"""Requests that may wait for the thread."""

_ATOMIC_BYTES = 4096
"""Writes to a pipe up to this size, Linux's PIPE_BUF, are not mixed with those of others."""

_MOST_CHARACTERS = 300
"""Characters of texts, and of a message, in one line: with the rest they are one write."""

_MOST_TEXTS = 32
"""Texts of one line."""

_STDERR = 2

_JOINED = "joined"
"""The one stage whose model has the pipeline's own name."""

_LONGEST_ID = 128
_CLOSING_S = 2.0

_GATHERED_S = 0.05
"""Lines of this time are written together: under load that costs half as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRequest:
    """One request of a stage that has ended.

    Attributes:
        time_s: when it ended, in seconds since 1970.
        request_id: as the client sent it; empty if it sent none.
        rows: rows of its tensors.
        tokens: tokens of its texts; None where the stage does not see them.
        outcome: `answered`, `refused` for a fault of its own, or `failed`.
        error: why it was not answered.
        duration_s: from when the stage got it to its end.
        batch: requests that came with it, itself included.
        texts: its texts, if they are to be logged.
    """

    time_s: float
    request_id: str
    rows: int
    tokens: int | None
    outcome: str
    error: str
    duration_s: float
    batch: int
    texts: tuple[str, ...] = ()


def opened_log(model: str, stage: str, environment: Mapping[str, str]) -> "RequestLog | None":
    """The log of a model's requests as the environment says; None if it has no lines.

    Raises:
        UsageError: a variable has a value that is not allowed.
    """
    settings = LogSettings.from_environment(environment)
    if settings.requests == "none":
        return None
    pipeline = model if stage == _JOINED else model.removesuffix(f"_{stage}")
    pipeline = pipeline.partition("@")[0]  # a build that came later is NAME@BUILD
    return RequestLog(settings, pipeline=pipeline, stage=stage)


def write_to_stderr(lines: bytes) -> None:
    """Write all of it to where the server's own log goes."""
    while lines:
        lines = lines[os.write(_STDERR, lines) :]


class RequestLog:
    """The log of one stage's requests."""

    def __init__(
        self,
        settings: LogSettings,
        *,
        pipeline: str,
        stage: str,
        write: Callable[[bytes], None] = write_to_stderr,
    ) -> None:
        """Start the thread.

        Args:
            settings: form and content.
            pipeline: the ensemble's name.
            stage: the stage's.
            write: takes whole lines; what it raises as OSError ends the log.
        """
        self.settings = settings
        self._names = {"pipeline": pipeline, "stage": stage}
        self._write = write
        self._waiting: SimpleQueue[EndedRequest | None] = SimpleQueue()
        self._left_out = 0
        self._thread = threading.Thread(target=self._work, name="request-log", daemon=True)
        self._thread.start()

    def add(self, request: EndedRequest) -> None:
        """Take a request that has just ended; returns at once."""
        if self.settings.requests == "failed" and request.outcome == "answered":
            return
        if self._waiting.qsize() >= _MOST_WAITING:
            self._left_out += 1
        else:
            self._waiting.put(request)

    def close(self) -> None:
        """Write what is waiting, for a while at most; nothing comes after this."""
        self._waiting.put(None)
        self._thread.join(_CLOSING_S)

    def _work(self) -> None:
        while True:
            ended = self._taken()
            lines = [self._line(request) for request in ended if request is not None]
            if self._left_out:
                left_out, self._left_out = self._left_out, 0
                fields = {"lines": left_out}
                lines.append(self._formatted(time.time(), "log_lines_left_out", fields))
            try:
                for part in _parts(lines):
                    self._write(part)
            except OSError:  # nobody reads any more; the requests go on
                return
            if None in ended:
                return

    def _taken(self) -> list[EndedRequest | None]:
        """Wait for a request; return it and those that come soon after."""
        taken = [self._waiting.get()]
        if taken != [None]:
            time.sleep(_GATHERED_S)
        try:
            while len(taken) < _MOST_WAITING:
                taken.append(self._waiting.get_nowait())
        except Empty:
            pass
        return taken

    def _line(self, request: EndedRequest) -> str:
        fields: dict[str, object] = {}
        if request.request_id:
            fields["request_id"] = request.request_id[:_LONGEST_ID]
        fields["rows"] = request.rows
        if request.tokens is not None:
            fields["tokens"] = int(request.tokens)
        fields["outcome"] = request.outcome
        fields["duration_ms"] = round(request.duration_s * 1e3, 3)
        fields["batch"] = request.batch
        if request.error:
            fields["error"] = request.error[:_MOST_CHARACTERS]
        if request.texts:
            texts = request.texts[:_MOST_TEXTS]
            fields["texts"] = [text[: _MOST_CHARACTERS // len(texts)] for text in texts]
        return self._formatted(request.time_s, "request", fields)

    def _formatted(self, time_s: float, event: str, fields: Mapping[str, object]) -> str:
        return log_line(self.settings.form, time_s, event, {**self._names, **fields})


class LoggedBatch:
    """Requests that a stage got together; each is told of by its place when it ends."""

    def __init__(self, log: RequestLog, ids: Sequence[str], given: Sequence[Tensors]) -> None:
        """Note what is known before they run.

        Args:
            log: takes them when they end.
            ids: the requests' own.
            given: their tensors, which may be gone when they end.
        """
        self._log = log
        self._ids = ids
        self._started_s = time.perf_counter()
        self._rows = [len(next(iter(tensors.values()), ())) for tensors in given]
        wants_texts = log.settings.texts
        self._texts = [_texts(tensors) if wants_texts else () for tensors in given]

    def ended(self, place: int, outcome: str, tokens: int | None, error: str = "") -> None:
        """Log the end of the request at this place."""
        self._log.add(
            EndedRequest(
                time_s=time.time(),
                request_id=self._ids[place],
                rows=self._rows[place],
                tokens=tokens,
                outcome=outcome,
                error=error,
                duration_s=time.perf_counter() - self._started_s,
                batch=len(self._ids),
                texts=self._texts[place],
            )
        )


def _texts(tensors: Tensors) -> tuple[str, ...]:
    """All strings of a request's tensors."""
    columns = [tensor.reshape(-1) for tensor in tensors.values() if tensor.dtype == object]
    return tuple(bytes(text).decode(errors="replace") for column in columns for text in column)


def _parts(lines: Sequence[str]) -> list[bytes]:
    """The lines, each with its end, joined to parts that are written at once."""
    parts = [b""]
    for line in lines:
        ended = f"{line}\n".encode()
        if len(parts[-1]) + len(ended) > _ATOMIC_BYTES and parts[-1]:
            parts.append(b"")
        parts[-1] += ended
    return parts
