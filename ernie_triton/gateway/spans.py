"""A span for each traced request, sent to an OpenTelemetry collector by OTLP over HTTP, as JSON.

A span continues the caller's trace, and the servers' own spans belong to it. A thread sends them:
where the collector is away or slow, spans are dropped and no request waits.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import msgspec

from ernie_triton.gateway.watching import Seen
from ernie_triton.server.telemetry.tracing import Tracing

_SERVICE = "ernie-triton-gateway"
_MOST_WAITING = 10_000
_MOST_SENT = 512
_EVERY_S = 1.0
_TIMEOUT_S = 5.0
_SERVER_KIND, _ERROR = 2, 2  # of OTLP's enumerations


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSpan:
    """A request's place in its trace.

    Attributes:
        trace: id of the trace, 32 hex digits.
        parent: id of the caller's span; empty where the trace begins here.
        id: its own, 16 hex digits.
        started_ns: since 1970.
    """

    trace: str
    parent: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    started_ns: int = field(default_factory=time.time_ns)

    @property
    def traceparent(self) -> str:
        """The header by which the servers' spans belong to this one."""
        return f"00-{self.trace}-{self.id}-01"


class Spans:
    """Makes the spans of one worker and sends them."""

    def __init__(self, tracing: Tracing) -> None:
        """Start the thread that sends."""
        self._tracing = tracing
        self._requests = count()
        self._ended: queue.Queue[dict[str, object]] = queue.Queue(_MOST_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="spans", daemon=True)
        self._thread.start()

    def begin(self, traceparent: str) -> RequestSpan | None:
        """The span of a request; None for one that is not traced.

        A caller's own trace decides by its flag; of other requests, one in `rate` is traced.
        """
        if traceparent:
            _, trace, parent, flags = traceparent.split("-")
            return RequestSpan(trace=trace, parent=parent) if int(flags, 16) & 1 else None
        if next(self._requests) % self._tracing.rate:
            return None
        return RequestSpan(trace=secrets.token_hex(16))

    def end(self, span: RequestSpan, seen: Seen) -> None:
        """Take a span whose request has ended; it is dropped where too many wait."""
        with contextlib.suppress(queue.Full):
            self._ended.put_nowait(_document(span, seen))

    def close(self) -> None:
        """Send what is left, and end the thread."""
        self._closing.set()
        self._thread.join(2 * _TIMEOUT_S)

    def _send_all(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._closing.wait(_EVERY_S)
            while spans := self._taken():
                with contextlib.suppress(OSError):
                    self._send(spans)

    def _taken(self) -> list[dict[str, object]]:
        taken: list[dict[str, object]] = []
        with contextlib.suppress(queue.Empty):
            while len(taken) < _MOST_SENT:
                taken.append(self._ended.get_nowait())
        return taken

    def _send(self, spans: Sequence[dict[str, object]]) -> None:
        scope = {"scope": {"name": "ernie_triton.gateway"}, "spans": spans}
        service = {"attributes": [_attribute("service.name", _SERVICE)]}
        document = {"resourceSpans": [{"resource": service, "scopeSpans": [scope]}]}
        request = urllib.request.Request(
            self._tracing.url,
            data=msgspec.json.encode(document),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            answer.read()


def _document(span: RequestSpan, seen: Seen) -> dict[str, object]:
    """The span as OTLP's JSON has it."""
    fields: dict[str, str | int] = {
        "http.request.method": seen.method,
        "http.response.status_code": seen.status,
        "http.route": seen.endpoint,
        "ernie.request_id": seen.request_id,
        "ernie.key": seen.key,
        "ernie.pipeline": seen.pipeline,
        "ernie.rows": seen.rows,
        "ernie.problem": seen.problem,
    }
    return {
        "traceId": span.trace,
        "spanId": span.id,
        **({"parentSpanId": span.parent} if span.parent else {}),
        "name": f"{seen.method} {seen.endpoint or 'unknown'}",
        "kind": _SERVER_KIND,
        "startTimeUnixNano": str(span.started_ns),
        "endTimeUnixNano": str(time.time_ns()),
        "attributes": [_attribute(name, value) for name, value in fields.items() if value],
        "status": {"code": _ERROR, "message": seen.problem} if seen.status >= 500 else {},
    }


def _attribute(name: str, value: str | int) -> dict[str, object]:
    kind = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
    return {"key": name, "value": kind}
