"""Options of `serve` and `supervise` for stages that compute too long, and for a stop.

A stop waits for the requests in flight; what is said of it is here too.
"""

import argparse
from collections.abc import Callable

from ernie_triton.server.supervision.supervisor import DRAIN_TIMEOUT_S
from ernie_triton.server.telemetry.event_log import EventLog


def add_supervision_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--stage-timeout",
        type=float,
        default=0,
        metavar="SECONDS",
        help="kill and bring back a stage that has requests and ends none for so long; longer "
        "than the longest request takes (default: 0, never)",
    )
    parser.add_argument(
        "--drain-timeout",
        type=float,
        default=DRAIN_TIMEOUT_S,
        metavar="SECONDS",
        help="time for requests in flight after a stop (default %(default)g)",
    )


def finish_requests(
    drain: Callable[[float], tuple[str, ...]], timeout_s: float, events: EventLog
) -> None:
    """Wait for the requests in flight, and tell of those without an answer.

    Args:
        drain: waits so many seconds, and returns the pipelines with unanswered requests.
        timeout_s: how long, in seconds.
        events: the log.

    Raises:
        ServerError: the server does not answer.
    """
    if busy := drain(timeout_s):
        text = f"requests to {', '.join(busy)} had no answer after {timeout_s:g} s"
        events.event("unanswered", text, models=busy)
