"""The time of a request in each stage of its pipeline, from the server's own counts.

The server has sums for each stage. They are read before a request and after it: where other
requests ran meanwhile, a stage's time is the mean of all of them, and their number is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ernie_triton.client.statistics import StageCounts
from ernie_triton.client.transport import Connection

_T = TypeVar("_T")
_TRIES, _PAUSE_S = 10, 0.005
_TIMEOUT_S = 5.0


class StageCounter(Protocol):
    """Reads the counts of stages at a server."""

    async def counts(self, models: Sequence[str], timeout_s: float) -> Mapping[str, StageCounts]:
        """The counts of each of these models so far."""

    async def close(self) -> None:
        """Give the connection back."""


CountStages = Callable[[Connection], StageCounter]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """One stage's time, in its queue and computing: the mean of so many requests."""

    stage: str
    seconds: float
    requests: int


class PipelineTimes:
    """Measures the stages of one pipeline."""

    def __init__(
        self, connection: Connection, stages: Sequence[str], count_stages: CountStages
    ) -> None:
        """Keep the names; the first measurement connects."""
        self._pipeline = connection.endpoint.model
        self._stages = tuple(stages)
        self._connection = connection
        self._count_stages = count_stages
        self._counter: StageCounter | None = None

    async def around(self, work: Awaitable[_T]) -> tuple[_T, list[StageTime]]:
        """The result of the work, and the time of each stage meanwhile.

        Raises:
            ClientError: the server does not tell its counts, or the work fails so.
        """
        if self._counter is None:
            self._counter = self._count_stages(self._connection)
        before = await self._counter.counts(self._stages, _TIMEOUT_S)
        result = await work
        times: list[StageTime] = []
        for _ in range(_TRIES):  # the server counts a request after it has answered it
            after = await self._counter.counts(self._stages, _TIMEOUT_S)
            times = self._times(before, after)
            if len(times) == len(self._stages):
                break
            await asyncio.sleep(_PAUSE_S)
        return result, times

    async def close(self) -> None:
        """Give the connection back."""
        if self._counter is not None:
            await self._counter.close()

    def _times(
        self, before: Mapping[str, StageCounts], after: Mapping[str, StageCounts]
    ) -> list[StageTime]:
        times = []
        for stage in self._stages:
            meanwhile = after[stage].since(before[stage])
            if meanwhile.requests > 0:
                spent_ns = meanwhile.queue_ns + meanwhile.input_ns + meanwhile.compute_ns
                seconds = (spent_ns + meanwhile.output_ns) / meanwhile.requests / 1e9
                name = stage.rpartition("_")[2] if stage != self._pipeline else "joined"
                times.append(StageTime(stage=name, seconds=seconds, requests=meanwhile.requests))
        return times
