"""The check of a request before its body is read: its key, and the limits of that key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from ernie_triton.gateway.guard.keys import KeyRing, NamedKey
from ernie_triton.gateway.guard.limits import KeyLimits
from ernie_triton.gateway.http import HttpRequest
from ernie_triton.gateway.problems import ProblemError

_WWW = {"www-authenticate": "Bearer"}


class Guard:
    """Lets requests in, by key where there are keys, and no more at once than a worker takes."""

    def __init__(self, most_in_flight: int, by_key: ByKey | None = None) -> None:
        self._most_in_flight = most_in_flight
        self._by_key = by_key
        self._in_flight = 0

    @property
    def has_keys(self) -> bool:
        """True where a caller must have a key."""
        return self._by_key is not None

    @contextlib.contextmanager
    def admitted(self, request: HttpRequest) -> Iterator[NamedKey | None]:
        """Count the request while the block runs; the block gets its key, if there are keys.

        Raises:
            ProblemError: the key is missing or unknown, or a limit is reached.
        """
        named = None if self._by_key is None else _key_of(request, self._by_key.ring)
        if self._in_flight >= self._most_in_flight:
            raise ProblemError(
                "too-many-at-once",
                503,
                f"the gateway answers {self._most_in_flight} requests at once, its limit",
                "try again in a second",
                {"retry-after": "1"},
            )
        with contextlib.ExitStack() as counted:
            if self._by_key is not None and named is not None:
                counted.enter_context(self._by_key.limits.admitted(named))
            self._in_flight += 1
            counted.callback(self._leave)
            yield named

    def _leave(self) -> None:
        self._in_flight -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ByKey:
    """The keys, and the table of their limits."""

    ring: KeyRing
    limits: KeyLimits


def check_pipeline(named: NamedKey | None, pipeline: str) -> None:
    """Refuse a pipeline that the key is not for.

    Raises:
        ProblemError: it is not.
    """
    if named is not None and not named.key.may_ask(pipeline):
        raise ProblemError(
            "pipeline-not-allowed",
            403,
            f"the key {named.name!r} is not for the pipeline {pipeline!r}",
            f"ask one of: {', '.join(named.key.pipelines)}",
        )


def _key_of(request: HttpRequest, ring: KeyRing) -> NamedKey:
    kind, _, bearer = request.header("authorization").partition(" ")
    presented = bearer.strip() if kind.lower() == "bearer" else ""
    presented = presented or request.header("x-api-key")
    if not presented:
        raise ProblemError(
            "key-missing",
            401,
            "the request has no key; expected a header `Authorization: Bearer KEY`",
            "send the key that the gateway's operator gave you",
            _WWW,
        )
    if (found := ring.find(presented)) is None:
        raise ProblemError(
            "key-unknown",
            401,
            "the gateway does not know the request's key",
            "send the key that the gateway's operator gave you",
            _WWW,
        )
    return found
