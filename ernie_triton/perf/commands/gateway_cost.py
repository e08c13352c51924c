"""Compare a gateway with direct gRPC, in one run: both are asked in turn, with the same texts."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

from ernie_triton.client.security_options import key_from_file
from ernie_triton.client.seq_cls import AsyncSeqClsClient
from ernie_triton.commands import path_or_none
from ernie_triton.errors import UsageError
from ernie_triton.text_table import Table

_TEXT = "央行宣布下调存款准备金率，手机厂商股价大涨"
_MANY, _BATCH = 32, 8

_Ask = Callable[[Sequence[str]], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRound:
    """Answers of one round.

    Attributes:
        texts_per_s: of all callers together.
        median_s: of a request.
    """

    texts_per_s: float
    median_s: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Ask a classifier through a gateway and directly, in turn, and print both and their ratio: "
        f"{_MANY} callers with {_BATCH} texts each, and one caller with one text. The callers are "
        "this one process, so their own cost is in both."
    )
    parser.add_argument("--url", default="localhost:8001", help="gRPC (default: %(default)s)")
    parser.add_argument(
        "--gateway", default="http://localhost:8080", help="the gateway (default: %(default)s)"
    )
    parser.add_argument("--model", default="ernie_seqcls", help="(default: %(default)s)")
    parser.add_argument(
        "--key-file",
        type=path_or_none,
        metavar="FILE",
        help="file with the gateway's key, where it wants one",
    )
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="of each measurement (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure and print a table; return 0."""
    if arguments.rounds < 1 or arguments.seconds <= 0:
        raise UsageError("--rounds and --seconds must be above 0")
    rows = asyncio.run(_measured(arguments))
    table = Table(("callers x texts", "", "direct", "gateway", "gateway/direct"))
    print("\n".join(table.lines(rows)))
    return 0


async def _measured(found: argparse.Namespace) -> list[tuple[str, ...]]:
    host = urlsplit(found.gateway)
    if host.scheme != "http" or not host.hostname:
        raise UsageError(f"--gateway is {found.gateway!r}; expected http://host:port")
    rows = []
    for callers, batch in ((_MANY, _BATCH), (1, 1)):
        texts = [_TEXT] * batch
        direct: list[AskedRound] = []
        through: list[AskedRound] = []
        async with AsyncExitStack() as opened:
            client = await opened.enter_async_context(AsyncSeqClsClient(found.url, found.model))
            asked = [_Http(host.hostname, host.port or 80, found) for _ in range(callers)]
            for one in asked:
                opened.push_async_callback(one.close)
            for _ in range(found.rounds):
                direct.append(await _round([client.classify] * callers, texts, found.seconds))
                through.append(await _round([one.classify for one in asked], texts, found.seconds))
        rows += _rows(f"{callers} x {batch}", direct, through)
    return rows


async def _round(ways: Sequence[_Ask], texts: Sequence[str], seconds: float) -> AskedRound:
    """Let every caller ask again and again; the first request of each is not counted."""
    times: list[float] = []
    await asyncio.gather(*(way(texts) for way in ways))
    began = time.perf_counter()

    async def caller(way: _Ask) -> None:
        while (started := time.perf_counter()) - began < seconds:
            await way(texts)
            times.append(time.perf_counter() - started)

    await asyncio.gather(*(caller(way) for way in ways))
    whole_s = time.perf_counter() - began
    return AskedRound(
        texts_per_s=len(times) * len(texts) / whole_s, median_s=statistics.median(times)
    )


def _rows(
    name: str, direct: Sequence[AskedRound], through: Sequence[AskedRound]
) -> list[tuple[str, ...]]:
    both = list(zip(direct, through, strict=True))
    rates = [(one.texts_per_s, other.texts_per_s) for one, other in both]
    times = [(one.median_s * 1e3, other.median_s * 1e3) for one, other in both]
    return [(name, "texts/s", *_compared(rates)), (name, "median ms", *_compared(times))]


def _compared(pairs: Sequence[tuple[float, float]]) -> tuple[str, str, str]:
    """The medians of both, and the median and the range of their ratios."""
    ratios = [through / direct for direct, through in pairs]
    span = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return f"{first:.1f}", f"{second:.1f}", span


class _Http:
    """One connection that asks the gateway, kept open."""

    def __init__(self, host: str, port: int, found: argparse.Namespace) -> None:
        self._place = host, port
        key = key_from_file("--key-file", found.key_file)
        key = f"authorization: Bearer {key}\r\n" if key else ""
        self._head = f"POST /v1/classify HTTP/1.1\r\nhost: {host}\r\n{key}"
        self._model = found.model
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def classify(self, texts: Sequence[str]) -> object:
        """The answer to one request."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._place)
        reader, writer = self._streams
        body = json.dumps({"model": self._model, "input": list(texts)}).encode()
        writer.write(f"{self._head}content-length: {len(body)}\r\n\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        answer = await reader.readexactly(int(lines["content-length"]))
        if not head.startswith("HTTP/1.1 200"):
            raise UsageError(f"the gateway answers {head.splitlines()[0]}: {answer[:300]!r}")
        return json.loads(answer)

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
