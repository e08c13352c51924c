"""Tables of text for a terminal, where a Chinese character takes two columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_ZERO_WIDTH = frozenset({"Mn", "Me", "Cf"})
_GAP = "  "


class Table:
    """Aligned lines, block after block; a column grows where a later cell is wider."""

    def __init__(self, header: Sequence[str]) -> None:
        self._header = tuple(header)
        self._widths = [text_width(name) for name in header]
        self._started = False

    def lines(self, rows: Sequence[Sequence[str]]) -> list[str]:
        """The rows as lines without ends, under the header the first time."""
        for row in rows:
            for at, cell in enumerate(row):
                self._widths[at] = max(self._widths[at], text_width(cell))
        head: list[Sequence[str]] = [] if self._started else [self._header, self._rule()]
        self._started = True
        return [self._line(row) for row in (*head, *rows)]

    def _rule(self) -> list[str]:
        return ["-" * width for width in self._widths]

    def _line(self, row: Sequence[str]) -> str:
        cells = (
            cell + " " * (width - text_width(cell))
            for cell, width in zip(row, self._widths, strict=True)
        )
        return _GAP.join(cells).rstrip(" ")


def text_width(text: str) -> int:
    """Columns that the text takes: two for wide characters, none for combining ones."""
    return sum(map(_character_width, text))


def on_one_line(text: str) -> str:
    """The text without line breaks and control characters."""
    return "".join(map(_visible, text))


def clipped(text: str, width: int) -> str:
    """The text in at most `width` columns, on one line; a cut is marked with `…`."""
    shown: list[str] = []
    free = width
    for character in text:
        visible = _visible(character)
        free -= _character_width(visible)
        if free < 0:
            return _without_last_columns(shown, width)
        shown.append(visible)
    return "".join(shown)


def _without_last_columns(shown: list[str], width: int) -> str:
    """The part that fits, and a final `…`."""
    while shown and text_width("".join(shown)) > width - 1:
        shown.pop()
    return "".join(shown) + "…"


def _character_width(character: str) -> int:
    if unicodedata.category(character) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _visible(character: str) -> str:
    """The character, or a replacement for one that a terminal would obey or hide."""
    if character.isprintable() or character == "\N{ZERO WIDTH JOINER}":
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
