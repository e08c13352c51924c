"""Keep many requests in flight and return answers in the order of the lines, in constant memory.

Stands between `items` and `sink`. The number of batches under way is limited: a batch counts from
when it is read until it and all before it are answered. At the limit nothing more is read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from ernie_triton.client.core import Row, Send
from ernie_triton.client.items import Item
from ernie_triton.client.wire import utf8_from_text
from ernie_triton.errors import ClientError, TextError

_R = TypeVar("_R")

DEFAULT_BATCH_SIZE = 32
DEFAULT_CONCURRENCY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[_R]):
    """A line with its result, or with an error."""

    item: Item
    result: _R | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Limits of the work under way at once.

    Attributes:
        batch_size: lines of one request.
        concurrency: requests at the server.
    """

    batch_size: int = DEFAULT_BATCH_SIZE
    concurrency: int = DEFAULT_CONCURRENCY

    @property
    def batches(self) -> int:
        """The most batches that are read and not yet returned.

        Twice the concurrency, so that one slow request does not keep the others waiting.
        """
        return 2 * self.concurrency


async def stream_outcomes(
    items: Iterator[Item], send: Send[_R], limits: RequestLimits
) -> AsyncGenerator[list[Outcome[_R]], None]:
    """The outcomes of all items in their order, batch by batch.

    Items are read in a thread, since a pipe may keep its reader waiting while answers arrive.

    Raises:
        ClientError: from `send`; requests still under way are cancelled.
    """
    places = asyncio.Semaphore(limits.concurrency)
    under_way: deque[asyncio.Task[list[Outcome[_R]]]] = deque()
    reading: asyncio.Task[list[Item]] | None = None
    exhausted = False
    try:
        while under_way or not exhausted:
            if not exhausted and reading is None and len(under_way) < limits.batches:
                reading = _start_reading(items, limits)
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


def _start_reading(items: Iterator[Item], limits: RequestLimits) -> asyncio.Task[list[Item]]:
    return asyncio.create_task(asyncio.to_thread(lambda: list(islice(items, limits.batch_size))))


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
