"""Spans marked in a grammar's sentences: `<PER:{surname}{given}>来到<LOC:{city}>`.

The marks survive the expansion of the slots inside them, so a grammar file says where an entity or
an answer stands, and nothing has to be searched for afterwards. Marks do not nest.
"""

import re
from dataclasses import dataclass

_MARK = re.compile(r"<(\w+):([^<>]*)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Characters `start` to `end` (excluded) of a text, and what they are."""

    kind: str
    start: int
    end: int


def strip_marks(marked: str) -> tuple[str, tuple[Span, ...]]:
    """Take the marks out of a sentence; returns the plain text and its spans, in their order."""
    parts: list[str] = []
    spans: list[Span] = []
    length = 0
    last = 0
    for mark in _MARK.finditer(marked):
        before, inside = marked[last : mark.start()], mark[2]
        start = length + len(before)
        spans.append(Span(kind=mark[1], start=start, end=start + len(inside)))
        parts += [before, inside]
        length = start + len(inside)
        last = mark.end()
    parts.append(marked[last:])
    return "".join(parts), tuple(spans)
