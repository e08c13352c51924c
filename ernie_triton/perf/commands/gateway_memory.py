"""Ask a gateway everything it answers and refuses, and print the memory of its workers."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

import psutil

from ernie_triton.errors import UsageError
from ernie_triton.gateway.endpoints.table import ENDPOINTS
from ernie_triton.perf.running.http_caller import HttpCaller
from ernie_triton.text_table import Table

_MEBIBYTE = 1 << 20
_LEAVE_EVERY = 20
_LONG = "央行宣布下调存款准备金率，手机厂商股价大涨。" * 140
_REFUSED = (
    ("/v1/classify", b'{"input":' + b"[" * 40_000),
    ("/v1/entities", b'{"model": "none", "input": "a"}'),
    ("/v1/embeddings", b"\xff"),
    ("/v1/none", b"{}"),
)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Statuses so far, and the memory of the workers in MiB at each mark."""

    statuses: Counter[int] = field(default_factory=Counter)
    marks: list[tuple[float, float]] = field(default_factory=list)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Ask a gateway for every answer that its pipelines give, with short and long texts, and "
        "for what it refuses, and leave before some answers. Print the memory of its workers."
    )
    parser.add_argument(
        "--gateway", default="http://localhost:8080", help="the gateway (default: %(default)s)"
    )
    parser.add_argument("--process", type=int, required=True, help="the gateway's process id")
    parser.add_argument("--minutes", type=float, default=30.0, help="(default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=10.0, help="requests/s (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask and print a table; return 0."""
    if arguments.minutes <= 0 or arguments.rate <= 0:
        raise UsageError("--minutes and --rate must be above 0")
    if not psutil.pid_exists(arguments.process):
        raise UsageError(f"--process is {arguments.process}; expected the gateway's process id")
    seen = asyncio.run(_watched(arguments))
    rows = [(f"{minutes:.1f}", f"{mebibytes:.1f}") for minutes, mebibytes in seen.marks]
    print("\n".join(Table(("minutes", "MiB of the workers")).lines(rows)))
    counts = ", ".join(f"{count:,} x {status}" for status, count in sorted(seen.statuses.items()))
    print(f"answers by status (0: left before it): {counts}")
    return 0


async def _watched(found: argparse.Namespace) -> _Seen:
    seen = _Seen()
    caller = HttpCaller(found.gateway)
    requests = _requests(found.gateway)
    began = time.monotonic()
    step_s = max(found.minutes * 60 / 10, 1 / found.rate)
    number = 0
    while (passed_s := time.monotonic() - began) < found.minutes * 60:
        if passed_s >= step_s * len(seen.marks):
            seen.marks.append((passed_s / 60, _resident_mebibytes(found.process)))
        path, body = next(requests)
        number += 1
        if number % _LEAVE_EVERY:
            status, _ = await caller.post(path, body)
        else:
            await caller.send(path, body)
            await asyncio.sleep(0.002)
            caller.close()
            status = 0
        seen.statuses[status] += 1
        await asyncio.sleep(max(began + number / found.rate - time.monotonic(), 0))
    caller.close()
    seen.marks.append(((time.monotonic() - began) / 60, _resident_mebibytes(found.process)))
    return seen


def _requests(gateway: str) -> Iterator[tuple[str, bytes]]:
    """Requests that are refused, and each endpoint's example for each of its pipelines, twice."""
    with urllib.request.urlopen(f"{gateway}/v1/models", timeout=30) as answer:
        models = json.load(answer)["data"]
    bodies = []
    for endpoint in ENDPOINTS.values():
        tasks = {task.name for task in endpoint.tasks}
        for model in models:
            if model["task"] in tasks:
                example: dict[str, object] = {**endpoint.example, "model": model["id"]}
                if "text_pair" in model["inputs"]:
                    example["pair"] = [_LONG]
                long = {**example, **({"input": [_LONG] * 4} if "input" in example else {})}
                bodies += [(endpoint.path, json.dumps(one).encode()) for one in (example, long)]
    return cycle([*_REFUSED, *bodies])


def _resident_mebibytes(process: int) -> float:
    """Memory of the workers together; the parent's is left out."""
    children = psutil.Process(process).children()
    return float(sum(one.memory_info().rss for one in children)) / _MEBIBYTE
