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

from ernie_triton.client.security_options import key_from_file
from ernie_triton.client.tasks.seq_cls import AsyncSeqClsClient
from ernie_triton.commands import path_or_none
from ernie_triton.errors import UsageError
from ernie_triton.perf.paired import paired_ratio
from ernie_triton.perf.running.http_caller import HttpCaller
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
    rows = []
    for callers, batch in ((_MANY, _BATCH), (1, 1)):
        texts = [_TEXT] * batch
        direct: list[AskedRound] = []
        through: list[AskedRound] = []
        async with AsyncExitStack() as opened:
            client = await opened.enter_async_context(AsyncSeqClsClient(found.url, found.model))
            asked = [_Classifier(found) for _ in range(callers)]
            for one in asked:
                opened.callback(one.http.close)
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
    direct, through = zip(*pairs, strict=True)
    first, second = statistics.median(direct), statistics.median(through)
    return f"{first:.1f}", f"{second:.1f}", paired_ratio(through, direct).text()


class _Classifier:
    """One connection that asks the gateway for labels."""

    def __init__(self, found: argparse.Namespace) -> None:
        self.http = HttpCaller(found.gateway, key_from_file("--key-file", found.key_file))
        self._model = found.model

    async def classify(self, texts: Sequence[str]) -> object:
        """The answer to one request."""
        body = json.dumps({"model": self._model, "input": list(texts)}).encode()
        status, answer = await self.http.post("/v1/classify", body)
        if status != 200:
            raise UsageError(f"the gateway answers {status}: {answer[:300]!r}")
        return json.loads(answer)
