"""A caller of an HTTP server over one connection, as light as measurements need it."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from ernie_triton.errors import UsageError


class HttpCaller:
    """Keeps its connection open; one request at a time."""

    def __init__(self, gateway: str, key: str = "") -> None:
        """Connect with the first request, not here.

        Args:
            gateway: as in http://localhost:8080.
            key: the gateway's, where it wants one.

        Raises:
            UsageError: the address is not in that form.
        """
        place = urlsplit(gateway)
        if place.scheme != "http" or not place.hostname:
            raise UsageError(f"--gateway is {gateway!r}; expected http://host:port")
        self._place = place.hostname, place.port or 80
        bearer = f"authorization: Bearer {key}\r\n" if key else ""
        kind = "content-type: application/json\r\n"
        self._headers = f"host: {place.hostname}\r\n{kind}{bearer}"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, path: str, body: bytes) -> asyncio.StreamReader:
        """Send a request, and return the reader of its answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._place)
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\n{self._headers}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return reader

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        reader = await self.send(path, body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.split("\r\n")
        lines = dict(line.lower().split(": ", 1) for line in rest if line)
        answer = await reader.readexactly(int(lines["content-length"]))
        if lines.get("connection") == "close":
            self.close()
        return int(first.split()[1]), answer

    def close(self) -> None:
        """Close the connection; a next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
