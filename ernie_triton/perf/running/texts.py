"""The rows of text that are sent: made with the wanted numbers of tokens, or read from a file.

A made text is of characters that are one token each in every WordPiece vocabulary: a Chinese
character or a punctuation mark is a word of its own, and so is a digit or letter between two such;
known to the vocabulary or not, each is one id. So a text of n such characters has n tokens.
"""

import random
from collections.abc import Sequence

from ernie_triton.client.items import items_from_txt, opened_lines
from ernie_triton.errors import DatasetError
from ernie_triton.perf.text_spec import TextKind, TextSpec

Row = tuple[str, ...]

_PUNCTUATION = "，。！？、：；“”《》（）"
_LATIN = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PUNCTUATION_SHARE = 0.06
_LATIN_SHARE = 0.03


def rows_of(spec: TextSpec, kinds: Sequence[TextKind], inputs: Sequence[str]) -> list[Row]:
    """The rows of a load: of the file, or of the kinds by their shares, in random order.

    Args:
        spec: the scenario's texts.
        kinds: the load's kinds of texts.
        inputs: the model's inputs; a row has a text for each.

    Raises:
        DatasetError: the file has no lines, or one that the model cannot take.
    """
    if spec.file is not None:
        return _rows_of_file(spec, inputs)
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


def text_of(characters: int, chance: random.Random) -> str:
    """A text of so many characters, each of them one token."""
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
    """A row's length in tokens, special tokens included."""
    if kind.tokens:
        return kind.tokens
    while True:
        length = round(chance.gauss(kind.mean, kind.deviation))
        if kind.shortest <= length <= kind.longest:
            return length


def _rows_of_kind(spec: TextSpec, kind: TextKind, count: int, texts: int) -> list[Row]:
    # A kind has the same texts whatever stands beside it.
    chance = random.Random(f"{spec.seed} {kind.name}")
    return [_row(length_of(kind, chance), texts, spec.first_share, chance) for _ in range(count)]


def _row(tokens: int, texts: int, first_share: float, chance: random.Random) -> Row:
    """One text and two special tokens, or two texts and three."""
    characters = max(tokens - texts - 1, texts)
    if texts == 1:
        return (text_of(characters, chance),)
    first = min(max(1, round(characters * first_share)), characters - 1)
    return text_of(first, chance), text_of(characters - first, chance)


def _rows_of_file(spec: TextSpec, inputs: Sequence[str]) -> list[Row]:
    with opened_lines(str(spec.file)) as lines:
        items = list(items_from_txt(lines, inputs))
    for item in items:
        if item.error:
            raise DatasetError(f"{spec.file} line {item.line}: {item.error}")
    if not items:
        raise DatasetError(f"{spec.file} has no lines; expected texts, one a line")
    return [item.texts for item in items]


def _common_character(chance: random.Random) -> str:
    """One of the 3,755 characters of level 1 of GB 2312, the commonest of modern Chinese.

    They are in its rows 16 to 55, 94 to a row, the last row without its last five.
    """
    place = chance.randrange(3755)
    return bytes((0xB0 + place // 94, 0xA1 + place % 94)).decode("gb2312")
