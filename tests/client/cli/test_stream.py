"""The window of requests in flight: order, memory, failures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import aclosing

import pytest

from ernie_triton.client.cli.stream import Outcome, RequestLimits, stream_outcomes
from ernie_triton.client.core import Caller, Policy, Row
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.seq_cls import Classification, SeqClsCodec
from ernie_triton.errors import ClientError, ServerUnavailableError
from tests.client.fakes import ENDPOINT, FakeAsyncTransport, FakeModel, refuse_texts_with


def items_of(texts: Sequence[str]) -> Iterator[Item]:
    for line, text in enumerate(texts, 1):
        yield Item(line=line, texts=(text,))


async def echo(rows: Sequence[Row]) -> list[bytes]:
    return [row[0] for row in rows]


def classify_all(
    items: Iterator[Item], transport: FakeAsyncTransport, limits: RequestLimits
) -> list[Outcome[Classification]]:
    async def run() -> list[Outcome[Classification]]:
        caller = Caller(transport, ENDPOINT, Policy())

        async def send(rows: Sequence[Row]) -> list[Classification | ClientError]:
            return await caller.outcomes(rows, SeqClsCodec())

        return [
            outcome
            async for outcomes in stream_outcomes(items, send, limits)
            for outcome in outcomes
        ]

    return asyncio.run(run())


def test_results_come_in_the_order_of_the_lines_whatever_the_latencies() -> None:
    texts = [f"{'abc'[number * 7 % 3]}{number}" for number in range(600)]
    transport = FakeAsyncTransport(FakeModel(), longest_s=0.01)
    outcomes = classify_all(items_of(texts), transport, RequestLimits(batch_size=4, concurrency=5))
    assert [outcome.item.texts[0] for outcome in outcomes] == texts
    assert [outcome.result.best.id for outcome in outcomes if outcome.result] == [
        "abc".index(text[0]) for text in texts
    ]
    assert transport.most_in_flight == 5


def test_a_long_file_never_has_more_lines_in_memory_than_the_window() -> None:
    window = RequestLimits(batch_size=100, concurrency=3)
    read, emitted, widest = 0, 0, 0

    def lines() -> Iterator[Item]:
        nonlocal read, widest
        for line in range(1, 200_001):
            read += 1
            widest = max(widest, read - emitted)
            yield Item(line=line, texts=("x",))

    async def run() -> None:
        nonlocal emitted
        async for outcomes in stream_outcomes(lines(), echo, window):
            emitted += len(outcomes)

    asyncio.run(run())
    assert emitted == 200_000
    # The batches of the window, the one being read, and the one being handed over.
    assert widest <= (window.batches + 2) * window.batch_size


def test_reading_stops_while_the_first_answer_is_awaited() -> None:
    window = RequestLimits(batch_size=1, concurrency=2)
    read = 0

    def lines() -> Iterator[Item]:
        nonlocal read
        for line in range(1, 101):
            read += 1
            yield Item(line=line, texts=(str(line),))

    async def run() -> int:
        gate = asyncio.Event()

        async def slow_first(rows: Sequence[Row]) -> list[bytes]:
            if rows[0][0] == b"1":
                await gate.wait()
            return await echo(rows)

        blocks = stream_outcomes(lines(), slow_first, window)
        async with aclosing(blocks):
            first = asyncio.ensure_future(anext(blocks))
            await asyncio.sleep(0.1)
            read_meanwhile = read
            gate.set()
            await first
            return read_meanwhile

    assert asyncio.run(run()) == window.batches


def test_answers_are_handed_over_while_a_pipe_gives_nothing() -> None:
    more = threading.Event()

    def lines() -> Iterator[Item]:
        yield Item(line=1, texts=("a",))
        assert more.wait(5.0)
        yield Item(line=2, texts=("b",))

    async def run() -> list[int]:
        found = []
        async for outcomes in stream_outcomes(lines(), echo, RequestLimits(batch_size=1)):
            found += [outcome.item.line for outcome in outcomes]
            more.set()
        return found

    assert asyncio.run(run()) == [1, 2]


def test_lines_that_fail_stand_in_their_place_among_the_others() -> None:
    items = [
        Item(line=1, texts=("a",)),
        Item(line=2, error="not UTF-8"),
        Item(line=3, texts=("b!",)),
        Item(line=4, texts=("\ud800",)),
        Item(line=5, texts=("",)),
        Item(line=6, error="no JSON"),
    ]
    transport = FakeAsyncTransport(FakeModel(fault=refuse_texts_with("!")))
    outcomes = classify_all(iter(items), transport, RequestLimits(batch_size=5))
    assert [outcome.item.line for outcome in outcomes] == [1, 2, 3, 4, 5, 6]
    assert [outcome.result is None for outcome in outcomes] == [0, 1, 1, 1, 0, 1]
    assert outcomes[1].error == "not UTF-8"
    assert outcomes[2].error.startswith("the server refused: ! (request ")
    assert "U+D800" in outcomes[3].error


def test_an_absent_server_stops_the_stream_and_cancels_the_rest() -> None:
    waiting, cancelled = 0, 0

    async def send(rows: Sequence[Row]) -> list[bytes]:
        nonlocal waiting, cancelled
        if rows[0][0] == b"1":
            await asyncio.sleep(0.05)
            raise ServerUnavailableError("away")
        waiting += 1
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return await echo(rows)

    async def run() -> None:
        window = RequestLimits(batch_size=1, concurrency=4)
        async for _ in stream_outcomes(items_of("1234567890"), send, window):
            pass

    with pytest.raises(ServerUnavailableError, match="away"):
        asyncio.run(run())
    assert cancelled == waiting >= 3


def test_an_error_of_the_reader_ends_the_stream() -> None:
    def lines() -> Iterator[Item]:
        yield Item(line=1, texts=("a",))
        raise OSError("the disk is gone")

    async def run() -> None:
        async for _ in stream_outcomes(lines(), echo, RequestLimits(batch_size=1)):
            pass

    with pytest.raises(OSError, match="the disk is gone"):
        asyncio.run(run())


def test_no_lines_are_no_outcomes() -> None:
    transport = FakeAsyncTransport(FakeModel())
    assert classify_all(iter(()), transport, RequestLimits()) == []
