"""The id and the trace of requests: names by which a caller finds them again at the server.

    with request_context(request_id="order-1027"):
        client.classify(["今天的股市大涨"])

Without an id each request gets a random one. Without a trace it is part of the caller's
OpenTelemetry span, where the program uses OpenTelemetry.
"""

from __future__ import annotations

import importlib
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

LONGEST_ID = 128
_ID = re.compile(rf"[!-~]{{1,{LONGEST_ID}}}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """The names of requests; empty ones are made for each request.

    Attributes:
        request_id: up to 128 visible ASCII characters.
        traceparent: the caller's span, as in W3C Trace Context: `00-<trace>-<span>-<flags>`.
    """

    request_id: str = ""
    traceparent: str = ""

    def __post_init__(self) -> None:
        if self.request_id and not _ID.fullmatch(self.request_id):
            raise ValueError(
                f"the request id is {self.request_id[: LONGEST_ID + 1]!r}; expected 1 to "
                f"{LONGEST_ID} visible ASCII characters without spaces"
            )
        if self.traceparent and not _TRACEPARENT.fullmatch(self.traceparent):
            raise ValueError(
                f"traceparent is {self.traceparent[:80]!r}; expected the form of W3C Trace "
                "Context, 00-<32 hex digits>-<16 hex digits>-<2 hex digits>"
            )

    def id_of_request(self) -> str:
        """The id, or a random one of 16 hex digits."""
        return self.request_id or secrets.token_hex(8)

    def trace_headers(self) -> dict[str, str]:
        """The headers that make a request part of a trace; none where there is no trace."""
        if self.traceparent:
            return {"traceparent": self.traceparent}
        if "opentelemetry.trace" not in sys.modules:
            return {}
        found: dict[str, str] = {}
        importlib.import_module("opentelemetry.propagate").inject(found)
        return {name.lower(): value for name, value in found.items()}


_NO_NAMES = RequestContext()
_CURRENT: ContextVar[RequestContext] = ContextVar("request_context", default=_NO_NAMES)


@contextmanager
def request_context(*, request_id: str = "", traceparent: str = "") -> Iterator[RequestContext]:
    """Name the requests that this thread or task, and tasks it starts, send inside the block.

    All requests of the block share the id: a call with many rows makes several.

    Raises:
        ValueError: the id or the trace is not in its form.
    """
    outer = current_context()
    given = RequestContext(
        request_id=request_id or outer.request_id, traceparent=traceparent or outer.traceparent
    )
    token = _CURRENT.set(given)
    try:
        yield given
    finally:
        _CURRENT.reset(token)


def current_context() -> RequestContext:
    """The names given to requests that are sent from here."""
    return _CURRENT.get()
