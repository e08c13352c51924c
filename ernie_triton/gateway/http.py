"""A request as ASGI gives it, read within bounds, and the answer to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ernie_triton.gateway.problems import CallerGoneError, ProblemError

Message = MutableMapping[str, Any]
ReceiveMessage = Callable[[], Awaitable[Message]]
SendMessage = Callable[[Message], Awaitable[None]]
_T = TypeVar("_T")

JSON_TYPE = "application/json"
_DISCARDED_TIMES = 4
"""A body up to so many times the bound is read and dropped, so that its sender sees the answer."""
_STRINGS_PER_ROW, _OTHER_STRINGS = 2, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """Status, headers and body of an answer."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, send: SendMessage) -> None:
        """Send it."""
        headers = {
            "content-type": self.media_type,
            "content-length": str(len(self.body)),
            "x-content-type-options": "nosniff",
            **self.headers,
        }
        lines = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": lines})
        await send({"type": "http.response.body", "body": self.body})


class HttpRequest:
    """Method, path, headers and body of a request."""

    def __init__(self, scope: Mapping[str, Any], receive: ReceiveMessage) -> None:
        """Take them from ASGI's scope."""
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.client: str = (scope.get("client") or ("",))[0]
        self._headers = dict(scope["headers"])
        self._receive = receive

    def header(self, name: str) -> str:
        """The value of a header by its name in lower case; empty where it is missing."""
        value: bytes = self._headers.get(name.encode("latin-1"), b"")
        return value.decode("latin-1").strip()

    async def body(self, most_bytes: int, within_s: float) -> bytes:
        """The whole body.

        Raises:
            ProblemError: it is encoded, too large, or comes too slowly.
            CallerGoneError: the caller left.
        """
        if (encoding := self.header("content-encoding")) not in ("", "identity"):
            raise ProblemError(
                "encoding-refused",
                415,
                f"the body's Content-Encoding is {encoding[:40]!r}; expected none",
                "send the JSON as it is",
                {"accept-encoding": "identity"},
            )
        length = self.header("content-length")
        try:
            if length.isdecimal() and int(length) > most_bytes:
                await self._discard(int(length), most_bytes, within_s)
                raise _too_large(int(length), most_bytes)
            return await asyncio.wait_for(self._whole_body(most_bytes), within_s)
        except (asyncio.TimeoutError, TimeoutError):
            raise ProblemError(
                "body-too-slow",
                408,
                f"the body was not complete after {within_s:g} s",
                "send it faster, or in smaller requests",
                {"connection": "close"},
            ) from None

    async def unless_caller_leaves(self, work: Coroutine[Any, Any, _T], within_s: float) -> _T:
        """The result of the work, which is cancelled when the caller leaves; after the body.

        Raises:
            CallerGoneError: the caller left.
            TimeoutError: the work takes longer.
        """
        task = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._receive())
        try:
            both = {task, leaving}
            await asyncio.wait(both, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise CallerGoneError if leaving.done() else TimeoutError
        finally:
            for one in (task, leaving):
                if not one.done():
                    one.cancel()

    async def _whole_body(self, most_bytes: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in self._parts():
            size += len(part)
            if size > most_bytes:
                raise _too_large(size, most_bytes)
            parts.append(part)
        return b"".join(parts)

    async def _parts(self) -> Any:  # noqa: ANN401 - an asynchronous generator of bytes
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerGoneError
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return

    async def _discard(self, length: int, most_bytes: int, within_s: float) -> None:
        """Read and drop a body that is not much too large, so that its sender reads the answer."""
        if length > _DISCARDED_TIMES * most_bytes or self.header("expect"):
            return

        async def drop() -> None:
            async for _ in self._parts():
                pass

        await asyncio.wait_for(drop(), within_s)


def check_strings(body: bytes, rows: int) -> None:
    """Refuse a body with more strings than its rows can have, before it is parsed.

    Every string has two quotes; those with a backslash before them are counted out.

    Raises:
        ProblemError: it has more.
    """
    strings = (body.count(b'"') - body.count(b'\\"')) // 2
    if strings > _STRINGS_PER_ROW * rows + _OTHER_STRINGS:
        raise too_many_rows(f"{strings:,} strings", rows)


def too_many_rows(found: str, rows: int) -> ProblemError:
    """The problem of a request with more texts than allowed."""
    return ProblemError(
        "too-many-rows",
        413,
        f"the request has {found}; expected at most {rows:,} rows",
        "send several requests",
    )


def _too_large(found: int, most_bytes: int) -> ProblemError:
    return ProblemError(
        "body-too-large",
        413,
        f"the body has {found:,} bytes or more; expected at most {most_bytes:,}",
        "send several requests",
        {"connection": "close"},
    )
