"""Many requests in flight, answers in the order of the lines, in constant memory.

Stands between `source` and `sink`. Batches of lines go through a window: a batch enters it when it
is read, leaves it when it and all before it are answered, and nothing is read while it is full.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from ernie_triton.client.core import Row
from ernie_triton.client.items import Item
from ernie_triton.client.wire import utf8_from_text
from ernie_triton.errors import ClientError, TextError

_R = TypeVar("_R")

DEFAULT_BATCH_SIZE = 32
DEFAULT_CONCURRENCY = 4

Send = Callable[[Sequence[Row]], Awaitable[Sequence[_R | ClientError]]]
"""Answers a batch of rows: a result or an error for each; raises what concerns every batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[_R]):
    """A line with its result, or with why it has none."""

    item: Item
    result: _R | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How much is under way at once.

    Attributes:
        batch_size: lines of one request.
        concurrency: requests at the server.
    """

    batch_size: int = DEFAULT_BATCH_SIZE
    concurrency: int = DEFAULT_CONCURRENCY

    @property
    def batches(self) -> int:
        """Batches read and not yet returned.

        More than are at the server, so that one slow request does not keep the others waiting.
        """
        return 2 * self.concurrency


async def stream_outcomes(
    items: Iterator[Item], send: Send[_R], window: Window
) -> AsyncGenerator[list[Outcome[_R]], None]:
    """The outcomes of all items in their order, batch by batch.

    Items are read in a thread, since a pipe may keep its reader waiting while answers arrive.

    Raises:
        ClientError: from `send`; requests still under way are cancelled.
    """
    places = asyncio.Semaphore(window.concurrency)
    under_way: deque[asyncio.Task[list[Outcome[_R]]]] = deque()
    reading: asyncio.Task[list[Item]] | None = None
    exhausted = False
    try:
        while under_way or not exhausted:
            if not exhausted and reading is None and len(under_way) < window.batches:
                reading = _start_reading(items, window)
            awaited = {task for task in (reading, *list(under_way)[:1]) if task is not None}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if reading is not None and reading.done():
                batch, reading = reading.result(), None
                exhausted = not batch
                if batch:
                    under_way.append(asyncio.create_task(_answer_batch(batch, send, places)))
            while under_way and under_way[0].done():
                yield under_way.popleft().result()
    finally:
        rest = [task for task in (reading, *under_way) if task is not None]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


def _start_reading(items: Iterator[Item], window: Window) -> asyncio.Task[list[Item]]:
    return asyncio.create_task(asyncio.to_thread(lambda: list(islice(items, window.batch_size))))


async def _answer_batch(
    batch: list[Item], send: Send[_R], places: asyncio.Semaphore
) -> list[Outcome[_R]]:
    """The outcome of each line of a batch; lines that cannot be sent keep their own error."""
    outcomes: dict[int, Outcome[_R]] = {}
    rows: dict[int, Row] = {}
    for item in batch:
        try:
            if item.error:
                raise TextError(item.error)
            rows[item.line] = tuple(utf8_from_text(text) for text in item.texts)
        except TextError as error:
            outcomes[item.line] = Outcome(item=item, error=str(error))
    answers: Sequence[_R | ClientError] = ()
    if rows:
        async with places:
            answers = await send(list(rows.values()))
    for item, answer in zip((item for item in batch if item.line in rows), answers, strict=True):
        if isinstance(answer, ClientError):
            outcomes[item.line] = Outcome(item=item, error=str(answer))
        else:
            outcomes[item.line] = Outcome(item=item, result=answer)
    return [outcomes[item.line] for item in batch]
