"""Log and metrics of requests, for those who watch a gateway."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ernie_triton.gateway.stage_times import StageTime
from ernie_triton.log_settings import LogSettings
from ernie_triton.server.telemetry.event_log import EventLog


@dataclass(slots=True, kw_only=True)
class Seen:
    """One request as it was seen; filled in on its way.

    Attributes:
        request_id: its id.
        method: of HTTP.
        path: as sent.
        endpoint: the path of the table, or empty for an unknown one.
        key: the name of the caller's key.
        pipeline: that answered.
        rows: texts or pairs.
        status: of the answer.
        problem: the kind of problem, if any.
        seconds: from the headers to the answer.
        model_s: of them for the pipeline.
        stages: of those for each stage, where the caller wants to know.
    """

    request_id: str
    method: str
    path: str
    endpoint: str = ""
    key: str = ""
    pipeline: str = ""
    rows: int = 0
    status: int = 0
    problem: str = ""
    seconds: float = 0.0
    model_s: float = 0.0
    stages: Sequence[StageTime] = ()


class Counts(Protocol):
    """Takes the requests for metrics."""

    def done(self, seen: Seen) -> None:
        """Count a request that has ended."""

    def in_flight(self) -> contextlib.AbstractContextManager[None]:
        """Count a request while the block runs."""


class Watching:
    """Log and metrics of one worker."""

    def __init__(
        self,
        settings: LogSettings,
        log: EventLog,
        counts: Counts | None = None,
    ) -> None:
        """Use these; without counts there are no metrics."""
        self.log = log
        self._requests = settings.requests
        self._counts = counts

    @contextlib.contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request while the block runs."""
        with self._counts.in_flight() if self._counts else contextlib.nullcontext():
            yield

    def done(self, seen: Seen) -> None:
        """Note a request that has ended."""
        if self._counts is not None:
            self._counts.done(seen)
        if self._requests == "none" or (self._requests == "failed" and seen.status < 400):
            return
        fields = {
            "request_id": seen.request_id,
            "method": seen.method,
            "path": seen.path[:200],
            "status": seen.status,
            "seconds": round(seen.seconds, 6),
            "key": seen.key,
            "pipeline": seen.pipeline,
            "rows": seen.rows,
            "problem": seen.problem,
        }
        kept = {name: value for name, value in fields.items() if value not in ("", 0)}
        text = " ".join(f"{name}={value}" for name, value in kept.items())
        self.log.event("http_request", f"http_request {text}", **kept)

    def close(self) -> None:
        """Close the log."""
        self.log.close()
