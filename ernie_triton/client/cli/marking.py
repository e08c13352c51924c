"""Texts with their entities marked: `[北京|LOC]的涮肉`, in colours on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ernie_triton.client.cli.stream import Outcome
from ernie_triton.client.token_cls import Entity
from ernie_triton.text_table import on_one_line

_BOLD, _CYAN, _PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[0m"


class MarkPrinter:
    """One line for each text; empty for one that failed."""

    def __init__(self, *, colored: bool) -> None:
        self._colored = colored

    def lines(self, outcomes: Sequence[Outcome[tuple[Entity, ...]]]) -> list[str]:
        """The lines of the next outcomes, without ends."""
        return [
            ""
            if outcome.result is None
            else marked_text(outcome.item.texts[0], outcome.result, colored=self._colored)
            for outcome in outcomes
        ]


def marked_text(text: str, entities: Sequence[Entity], *, colored: bool = False) -> str:
    """The text on one line with its entities, given in its order, in brackets with their labels."""
    pieces: list[str] = []
    at = 0
    for entity in entities:
        pieces.append(on_one_line(text[at : entity.start]))
        pieces.append(_mark(on_one_line(text[entity.start : entity.end]), entity.label, colored))
        at = entity.end
    return "".join([*pieces, on_one_line(text[at:])])


def _mark(text: str, label: str, colored: bool) -> str:
    if colored:
        return f"[{_BOLD}{text}{_PLAIN}|{_CYAN}{label}{_PLAIN}]"
    return f"[{text}|{label}]"
