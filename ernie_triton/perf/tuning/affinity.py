"""Restrict a server to some cores, named as `taskset` names them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ernie_triton.errors import ScenarioError


def cores_from(text: str) -> frozenset[int]:
    """Parse a list of cores such as `0`, `0,2` or `0-3,6`.

    Raises:
        ValueError: the text is not such a list.
    """
    cores: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers = range(int(first), int(last if dash else first) + 1)
        if not (numbers and first.strip().isdigit()):
            raise ValueError(f"{part!r} is not a core or a range of cores")
        cores.update(numbers)
    return frozenset(cores)


def usable_cores(wanted: frozenset[int] | None) -> frozenset[int]:
    """Return the wanted cores, or all that this process may use.

    Raises:
        ScenarioError: this process may not use one of the wanted cores.
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
    """Write a list that `cores_from` reads, without ranges."""
    return ",".join(map(str, sorted(cores)))


@contextmanager
def starting_on(cores: frozenset[int]) -> Iterator[None]:
    """Run all processes that the calling thread starts inside on these cores.

    A process inherits the affinity of the thread that starts it. The thread gets its own affinity
    back at the end.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
