"""Ask an HTTP server for rows of texts from several connections at once, and count the answers.

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
from ernie_triton.perf.analyzer.texts import TextRow
from ernie_triton.perf.running.http_caller import HttpCaller

_WARM_UP_SHARE = 0.2
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFigures:
    """Answers a second, and latencies of requests in milliseconds."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpEndpoint:
    """A local endpoint that takes `{"texts": […]}` and answers `{"answer": […]}`."""

    port: int
    path: str

    def answer(self, row: TextRow) -> list[float]:
        """Ask once.

        Raises:
            AnalyzerError: the answer is no 200.
            OSError: nobody listens.
        """

        async def ask() -> bytes:
            caller = self._caller()
            try:
                return await self._answer(caller, _body(row))
            finally:
                caller.close()

        found: list[float] = json.loads(asyncio.run(ask()))["answer"]
        return found

    def load(self, rows: Sequence[TextRow], *, concurrency: int, seconds: float) -> HttpFigures:
        """Keep so many requests under way; the first fifth of the time is not counted.

        Raises:
            AnalyzerError: an answer is no 200, or none came in time.
        """
        return asyncio.run(self._load([*map(_body, rows)], concurrency, seconds))

    async def _load(self, bodies: Sequence[bytes], concurrency: int, seconds: float) -> HttpFigures:
        begin = time.perf_counter()
        first, last = begin + _WARM_UP_SHARE * seconds, begin + seconds
        latencies: list[float] = []

        async def caller(start: int) -> None:
            http, number = self._caller(), start
            try:
                while (sent := time.perf_counter()) < last:
                    await self._answer(http, bodies[number % len(bodies)])
                    done = time.perf_counter()
                    if first <= done <= last:
                        latencies.append(done - sent)
                    number += concurrency
            finally:
                http.close()

        await asyncio.gather(*(caller(number) for number in range(concurrency)))
        if len(latencies) < 2:
            raise AnalyzerError(f"port {self.port} gave no answers in {seconds} s; measure longer")
        hundredths = statistics.quantiles(latencies, n=100)
        return HttpFigures(
            requests_per_s=len(latencies) / (last - first),
            p50_ms=1000 * hundredths[49],
            p99_ms=1000 * hundredths[98],
        )

    def _caller(self) -> HttpCaller:
        return HttpCaller(f"http://127.0.0.1:{self.port}")

    async def _answer(self, caller: HttpCaller, body: bytes) -> bytes:
        status, answer = await caller.post(self.path, body)
        if status != _OK:
            raise AnalyzerError(f"a peer answered HTTP/1.1 {status}: {answer.decode()[:200]}")
        return answer


def _body(row: TextRow) -> bytes:
    return json.dumps({"texts": row}, ensure_ascii=False).encode()
