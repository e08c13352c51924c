"""HTTP/1.1 of uvicorn with bounds: slow headers, unread answers and idle connections end.

uvicorn bounds the time between two requests only. A connection that sends nothing, a byte a second,
or reads nothing, would stay for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ernie_triton.gateway.settings import ConnectionBounds

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)
_LAST_WORD_S = 1.0
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def protocol_with_bounds(bounds: ConnectionBounds) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn with these bounds; its connections share the idle ones."""

    class Bounded(BoundedProtocol):
        """The protocol of one worker."""

        own_bounds = bounds
        idle: dict[BoundedProtocol, None] = {}  # noqa: RUF012 - shared by the connections

    return Bounded


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        own_bounds: of the worker.
        idle: connections without a request, the longest idle first.
    """

    own_bounds: ConnectionBounds
    idle: dict[BoundedProtocol, None]

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,  # noqa: ANN401 - uvicorn's own
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Begin without a timer."""
        super().__init__(config, server_state, app_state, _loop)
        self._headers_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._is_ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room for the connection, and give it time for its first request."""
        super().connection_made(transport)
        # uvicorn's type says what it needs of a transport, which this has.
        self.transport = JoinedWrites(transport)  # type: ignore[assignment]
        # What its reader has not taken counts as unread; with 0, asyncio's TLS pauses for ever.
        transport.set_write_buffer_limits(high=1)
        if len(self.connections) > self.own_bounds.connections:
            longest = next(iter(self.idle), self)
            self.idle.pop(longest, None)
            longest.transport.abort()
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.idle.pop(self, None)
        for timer in (self._headers_timer, self._unread_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of headers are counted."""
        if self._is_ended:
            return
        if self._headers_timer is None and self._is_between_requests():
            self._wait_for_headers()
        super().data_received(data)
        if self._headers_timer is None or self.transport.is_closing():
            self._header_bytes = 0
            return
        self._header_bytes += len(data)
        if self._header_bytes > self.own_bounds.header_bytes:
            self._end(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin the request."""
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None
        self.idle.pop(self, None)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Note that the connection is idle again."""
        super().on_response_complete()
        self.transport.write(b"")
        if self._is_between_requests():
            self.idle[self] = None

    def pause_writing(self) -> None:
        """Give the reader time for what is written."""
        super().pause_writing()
        if self._unread_timer is None:
            self._unread_timer = self.loop.call_later(
                self.own_bounds.unread_s, self.transport.abort
            )

    def resume_writing(self) -> None:
        """Note that all is read."""
        super().resume_writing()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _is_between_requests(self) -> bool:
        return self.cycle is None or (self.cycle.response_complete and not self.pipeline)

    def _wait_for_headers(self) -> None:
        self.idle[self] = None
        self._header_bytes = 0
        self._headers_timer = self.loop.call_later(self.own_bounds.headers_s, self._end, _TOO_SLOW)

    def _end(self, answer: bytes) -> None:
        """Refuse the connection's request, and close it when its caller had time to read that.

        Closed at once, with bytes of the caller unread, the kernel would throw the answer away.
        """
        if self._is_ended or self.transport.is_closing():
            return
        self._is_ended = True
        self.transport.write(answer)
        self.transport.write(b"")
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LAST_WORD_S, self.transport.abort)


class JoinedWrites:
    """A transport that sends an answer's headers with its body, not before it.

    uvicorn writes them one after the other: two system calls, and a reader that wakes up twice.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held = b""

    def write(self, data: bytes) -> None:
        """Send, or hold headers until the next write, which may be empty."""
        if data.endswith(b"\r\n\r\n") and not data.startswith(b"HTTP/1.1 1"):
            self._held += data
            return
        if self._held:
            data, self._held = self._held + data, b""
        if data:
            self._transport.write(data)

    def close(self) -> None:
        """Send what is held, and close."""
        self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is the transport's
        return getattr(self._transport, name)
