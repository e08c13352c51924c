"""Make more texts out of given ones, to be scored: cuts of texts, and two cuts joined."""

import re
from collections.abc import Iterator, Sequence
from random import Random

_CLAUSE = re.compile(r"[^，。！？；、,.!?;~～…\s]*[，。！？；、,.!?;~～…\s]*")
_JOINED_SHARE = 0.4
_DROPPED_SHARE = 0.3
_SHORT_CHARACTERS = 60
_TRIES = 8


def new_texts(texts: Sequence[str], copies: int, rng: Random) -> Iterator[str]:
    """Yield so many new texts for each text: a run of its clauses, perhaps with another's.

    Some of the runs lose single clauses from their middle.
    """
    clauses = [clauses_of(text) for text in texts]
    for _ in range(copies):
        for own in clauses:
            parts = _run(own, rng)
            if rng.random() < _JOINED_SHARE:
                parts += _run(rng.choice(clauses), rng)
            elif rng.random() < _DROPPED_SHARE and len(parts) > 1:
                parts = [part for part in parts if rng.random() > _DROPPED_SHARE] or parts
            yield "".join(parts).strip()


def short_texts(texts: Sequence[str], copies: int, rng: Random) -> Iterator[str]:
    """Yield so many short texts for each text: one of its clauses, or two that are neighbours."""
    clauses = [clauses_of(text) for text in texts]
    for _ in range(copies):
        for own in clauses:
            start = rng.randrange(len(own))
            yield "".join(own[start : start + rng.randint(1, 2)]).strip()


def short_cuts(texts: Sequence[str], rng: Random) -> Iterator[str]:
    """Yield a run of the clauses of each text, of at most 60 characters."""
    for text in texts:
        clauses = clauses_of(text)
        runs = ("".join(_run(clauses, rng)).strip() for _ in range(_TRIES))
        short = next((run for run in runs if len(run) <= _SHORT_CHARACTERS), text)
        yield short[:_SHORT_CHARACTERS]


def clauses_of(text: str) -> list[str]:
    """Cut a text behind its signs, which stay with the words before."""
    return [part for part in _CLAUSE.findall(text) if part]


def _run(clauses: Sequence[str], rng: Random) -> list[str]:
    """Draw neighbouring clauses; short runs are as likely as long ones."""
    length = rng.randint(1, len(clauses))
    start = rng.randint(0, len(clauses) - length)
    return list(clauses[start : start + length])
