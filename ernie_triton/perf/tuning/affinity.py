"""The cores that a server may use: named as `taskset` names them, given to what is started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ernie_triton.errors import ScenarioError


def cores_from(text: str) -> frozenset[int]:
    """The cores of a list such as `0`, `0,2` or `0-3,6`.

    Raises:
        ValueError: it is no such list.
    """
    cores: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers = range(int(first), int(last if dash else first) + 1)
        if not (numbers and first.strip().isdigit()):
            raise ValueError(f"{part!r} is no core and no range of cores")
        cores.update(numbers)
    return frozenset(cores)


def usable_cores(wanted: frozenset[int] | None) -> frozenset[int]:
    """The wanted cores, or all that this process may use.

    Raises:
        ScenarioError: one of them is not there or not for this process.
    """
    allowed = frozenset(os.sched_getaffinity(0))
    if wanted is None:
        return allowed
    if not wanted <= allowed:
        raise ScenarioError(
            f"--cores names {cores_words(wanted - allowed)}, but this process may use "
            f"{cores_words(allowed)}; name some of these"
        )
    return wanted


def cores_words(cores: frozenset[int]) -> str:
    """The list as `cores_from` takes it, without ranges."""
    return ",".join(map(str, sorted(cores)))


@contextmanager
def starting_on(cores: frozenset[int]) -> Iterator[None]:
    """What the calling thread starts inside runs on these cores, and all that it starts in turn.

    A process inherits the affinity of the thread that starts it; the thread itself gets its own
    back at the end.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
