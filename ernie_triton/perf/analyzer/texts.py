"""Make rows of text with the wanted numbers of tokens, or read them from a file.

Each character of a made text is one token in every WordPiece vocabulary, known to it or not: a
Chinese character, a punctuation mark, or a single digit or letter between two of these. So a text
of n characters has n tokens.
"""

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

from ernie_triton.client.items import items_from_txt, opened_lines
from ernie_triton.errors import DatasetError
from ernie_triton.perf.analyzer.text_spec import TextKind, TextSpec

TextRow = tuple[str, ...]
"""A text for each input; the last input has all that are left, where it is a list."""
Columns = dict[str, list[tuple[str, ...]]]
"""The texts of each row by input."""

TITLES = TextKind(name="titles", mean=24, deviation=7, shortest=8, longest=60)
"""Lengths of news titles."""
LONG = TextKind(name="long", tokens=128)
_ENTRIES = 1024
_PUNCTUATION = "，。！？、：；“”《》（）"
_LATIN = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PUNCTUATION_SHARE = 0.06
_LATIN_SHARE = 0.03


def text_rows(spec: TextSpec, kinds: Sequence[TextKind], inputs: Sequence[str]) -> list[TextRow]:
    """Return the rows of a load: the file's, or rows of the kinds by their shares, shuffled.

    Args:
        spec: the scenario's texts.
        kinds: the load's kinds of texts.
        inputs: the model's inputs; a row has a text for each.

    Raises:
        DatasetError: the file is empty or has a line that the model cannot take.
    """
    if spec.file is not None:
        return rows_of_file(spec.file, inputs)
    shares = sum(kind.share for kind in kinds)
    rows = [
        row
        for kind in kinds
        for row in _rows_of_kind(
            spec, kind, max(1, round(spec.entries * kind.share / shares)), len(inputs)
        )
    ]
    random.Random(spec.seed).shuffle(rows)
    return rows


def rows_of_kind(kind: TextKind, inputs: Sequence[str] = ("text",)) -> list[TextRow]:
    """Make 1,024 rows of one kind, the same in every call."""
    return text_rows(TextSpec(kinds=(kind,), entries=_ENTRIES), (kind,), inputs)


def rows_of_kinds(
    kinds: tuple[TextKind, TextKind], share: float, inputs: Sequence[str] = ("text",)
) -> list[TextRow]:
    """Make 1,024 rows of two kinds, shuffled; `share` of them are of the second kind."""
    most, few = kinds
    shared = (dataclasses.replace(most, share=1 - share), dataclasses.replace(few, share=share))
    return text_rows(TextSpec(kinds=shared, entries=_ENTRIES), shared, inputs)


def input_columns(rows: Sequence[TextRow], inputs: Sequence[str]) -> Columns:
    """Return the texts of the rows by input."""
    last = len(inputs) - 1
    return {
        name: [row[place : place + 1] if place < last else row[place:] for row in rows]
        for place, name in enumerate(inputs)
    }


def rows_of_file(file: Path, inputs: Sequence[str]) -> list[TextRow]:
    """Read rows from a file: one a line, a TAB between the texts of a row.

    Raises:
        DatasetError: the file is empty or has a line that the model cannot take.
    """
    with opened_lines(str(file)) as lines:
        items = list(items_from_txt(lines, inputs))
    for item in items:
        if item.error:
            raise DatasetError(f"{file} line {item.line}: {item.error}")
    if not items:
        raise DatasetError(f"{file} has no lines; expected texts, one a line")
    return [item.texts for item in items]


def text_of(characters: int, chance: random.Random) -> str:
    """Make a text of this many characters, each of them one token."""
    text: list[str] = []
    for _ in range(characters):
        draw = chance.random()
        if draw < _LATIN_SHARE and not (text and text[-1] in _LATIN):
            text.append(chance.choice(_LATIN))
        elif draw > 1 - _PUNCTUATION_SHARE and text:
            text.append(chance.choice(_PUNCTUATION))
        else:
            text.append(_common_character(chance))
    return "".join(text)


def length_of(kind: TextKind, chance: random.Random) -> int:
    """Draw a row's length in tokens, special tokens included."""
    if kind.tokens:
        return kind.tokens
    while True:
        length = round(chance.gauss(kind.mean, kind.deviation))
        if kind.shortest <= length <= kind.longest:
            return length


def _rows_of_kind(spec: TextSpec, kind: TextKind, count: int, texts: int) -> list[TextRow]:
    # A kind has the same texts, with or without other kinds.
    chance = random.Random(f"{spec.seed} {kind.name}")
    if spec.schema or spec.mask:
        rows = [_row(length_of(kind, chance), 1, 1, chance) for _ in range(count)]
        return [(_with_mask(text, spec.mask), spec.schema) for (text,) in rows]
    return [
        _listed_row(spec, kind, chance, max(texts, 2))
        if spec.documents > 1
        else _row(length_of(kind, chance), texts, spec.first_share, chance)
        for _ in range(count)
    ]


def _with_mask(text: str, mask: str) -> str:
    middle = len(text) // 2
    return f"{text[:middle]}{mask}{text[middle + 1 :]}" if mask else text


def _listed_row(spec: TextSpec, kind: TextKind, chance: random.Random, texts: int) -> TextRow:
    """Make a row with several texts for its last input, each of a length of its own."""
    lengths = [length_of(kind, chance) for _ in range(spec.documents)]
    *before, last = _row(lengths[0], texts, spec.first_share, chance)
    taken = sum(map(len, before)) + texts + 1
    others = [text_of(max(length - taken, 1), chance) for length in lengths[1:]]
    return (*before, last, *others)


def _row(tokens: int, texts: int, first_share: float, chance: random.Random) -> TextRow:
    """Make a row of texts, with a special token before it and one after each text."""
    characters = max(tokens - texts - 1, texts)
    if texts == 1:
        return (text_of(characters, chance),)
    first = min(max(1, round(characters * first_share)), characters - texts + 1)
    each, more = divmod(characters - first, texts - 1)
    others = (each + (place < more) for place in range(texts - 1))
    return tuple(text_of(length, chance) for length in (first, *others))


def _common_character(chance: random.Random) -> str:
    """Draw one of the 3,755 characters of level 1 of GB 2312, the most common of modern Chinese.

    They fill rows 16 to 55 of GB 2312, 94 to a row; the last row lacks five.
    """
    place = chance.randrange(3755)
    return bytes((0xB0 + place // 94, 0xA1 + place % 94)).decode("gb2312")
