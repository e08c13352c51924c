"""Faults of callers: they give up, cancel, or send more than a queue takes."""

import asyncio
import random
from collections import Counter

from ernie_triton.errors import DeadlineExceededError, QueueFullError, ServerError
from ernie_triton.perf.chaos.faults import StruckPipeline, reasons_of

_IMPATIENT_S = 0.3
_IMPATIENT_CALLS = 300
_CANCELLED_CALLS = 300
_CANCELLED_AFTER_S = 0.2
_FLOOD_CALLS = 400
_FLOOD_S = 60.0
_ROWS = 8


class ImpatientCallers:
    """Many requests whose callers give up before the answer."""

    name = "impatient callers"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Send requests of several rows with a deadline that most of them miss."""
        del chance
        ends = _ends(target, _IMPATIENT_CALLS, _ROWS, _IMPATIENT_S)
        counts = _counted(ends, QueueFullError, DeadlineExceededError)
        return f"{_IMPATIENT_CALLS} requests of {_ROWS} rows, {counts['answered']} answered in time"


class FullQueue:
    """More requests at once than a bounded queue takes."""

    name = "more than the queue takes"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Send requests without a pause; each is answered, or refused for a full queue."""
        del chance
        counts = _counted(_ends(target, _FLOOD_CALLS, 1, _FLOOD_S), QueueFullError)
        return f"{_FLOOD_CALLS} requests, {counts['answered']} answered, the others refused"


class CancelledRequests:
    """Many requests that their callers cancel."""

    name = "cancelled requests"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Send requests of several rows, and cancel them all a moment later."""
        del chance
        ends = _ends(target, _CANCELLED_CALLS, _ROWS, _FLOOD_S, _CANCELLED_AFTER_S)
        counts = _counted(ends, QueueFullError, asyncio.CancelledError)
        return f"{_CANCELLED_CALLS} requests of {_ROWS} rows, {counts['answered']} answered before"


def _ends(
    target: StruckPipeline,
    calls: int,
    rows: int,
    timeout_s: float,
    cancelled_after_s: float | None = None,
) -> list[BaseException | None]:
    """Send so many requests at once; the error of each, None for an answer."""
    sending = target.subject.send_at_once(
        target.url,
        target.columns(rows),
        calls,
        timeout_s=timeout_s,
        cancelled_after_s=cancelled_after_s,
    )
    return asyncio.run(sending)


def _counted(ends: list[BaseException | None], *expected: type[BaseException]) -> Counter[str]:
    """Count what ended as it should.

    Raises:
        ServerError: a request failed otherwise.
    """
    others = [end for end in ends if end is not None and not isinstance(end, expected)]
    if others:
        raise ServerError(f"of {len(ends)} requests at once {reasons_of(others)}")
    return Counter("answered" if end is None else "refused" for end in ends)
