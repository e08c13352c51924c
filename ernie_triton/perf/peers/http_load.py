"""Ask an HTTP server for texts from several connections at once, and count the answers.

One process sends and reads: about 0.1 ms of processor time a request, a thirtieth of the fastest
answer that is compared here.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.errors import AnalyzerError

_WARM_UP_SHARE = 0.2
_OK = b"200"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFigures:
    """Answers a second, and latencies of requests in milliseconds."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpEndpoint:
    """A local endpoint that takes `{"text": …}` and answers `{"scores": […]}`."""

    port: int
    path: str

    def request(self, text: str) -> bytes:
        """The bytes of a request."""
        body = json.dumps({"text": text}, ensure_ascii=False).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def scores(self, text: str) -> list[float]:
        """Ask once.

        Raises:
            AnalyzerError: the answer is no 200.
            OSError: nobody listens.
        """

        async def ask() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                return await _answer(reader, writer, self.request(text))
            finally:
                writer.close()

        found: list[float] = json.loads(asyncio.run(ask()))["scores"]
        return found

    def load(self, texts: Sequence[str], *, concurrency: int, seconds: float) -> HttpFigures:
        """Keep so many requests under way; the first fifth of the time is not counted.

        Raises:
            AnalyzerError: an answer is no 200, or none came in time.
        """
        return asyncio.run(self._load([self.request(one) for one in texts], concurrency, seconds))

    async def _load(
        self, requests: Sequence[bytes], concurrency: int, seconds: float
    ) -> HttpFigures:
        begin = time.perf_counter()
        first, last = begin + _WARM_UP_SHARE * seconds, begin + seconds
        latencies: list[float] = []

        async def caller(start: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            number = start
            try:
                while (sent := time.perf_counter()) < last:
                    await _answer(reader, writer, requests[number % len(requests)])
                    done = time.perf_counter()
                    if first <= done <= last:
                        latencies.append(done - sent)
                    number += concurrency
            finally:
                writer.close()

        await asyncio.gather(*(caller(number) for number in range(concurrency)))
        if len(latencies) < 2:
            raise AnalyzerError(f"port {self.port} gave no answers in {seconds} s; measure longer")
        hundredths = statistics.quantiles(latencies, n=100)
        return HttpFigures(
            requests_per_s=len(latencies) / (last - first),
            p50_ms=1000 * hundredths[49],
            p99_ms=1000 * hundredths[98],
        )


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in lines[1:] if b": " in line)
    body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    if lines[0].split(b" ")[1:2] != [_OK]:
        raise AnalyzerError(f"a peer answered {lines[0].decode()}: {body.decode()[:200]}")
    return body
