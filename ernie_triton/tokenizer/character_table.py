"""Token ids by code point, for characters whose token does not depend on their neighbours.

Almost all characters of a Chinese text are words of their own: ideographs and punctuation. One
array over code points holds their ids, so that a whole batch is one lookup. The array also marks
characters that separate words, characters of longer words, and characters that are not proven.
Each entry comes from the exact path: `basic_words` on the character between two letters. With
`tokenize_chinese_chars` off, ideographs are letters of words, and `word_characters` maps each
letter to its form inside a word.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping

import numpy as np

from ernie_triton.arrays import Int32
from ernie_triton.tokenizer.vocabulary import Vocabulary
from ernie_triton.tokenizer.words import IDEOGRAPHS, basic_words, is_ideograph

SEPARATES, IN_WORD, UNPROVEN = -1, -2, -3
"""Instead of an id: ends a word without a token; is part of a word; may depend on neighbours."""

AGREED = (
    "\t\n\r\x20-\x7e\xa0-\u024f\u2010-\u2027\u2030-\u205e\u2103\u2116\u2122\u2150-\u2188"
    "\u2190-\u2328\u232b-\u23fe\u2460-\u27bf\u3000-\u3029\u3030-\u303f\u3041-\u3096\u309b-\u30ff"
    "\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fef\uff01-\uffbe\uffe0-\uffe6\U0001f300-\U0001f64f"
)
"""Blocks, as in a regular expression, on which `tokenizers` and Python's Unicode tables agree in
every context: a test proves it."""

TABLE_SIZE = IDEOGRAPHS[5][1] + 2
"""Code points of the table: up to CJK extension E, and one more that stands for all the others."""


def character_table(
    vocabulary: Vocabulary, *, lower_case: bool, tokenize_chinese_chars: bool = True
) -> Int32:
    """The id of each character that is a word of its own; a mark for each other character.

    Returns:
        int32 [TABLE_SIZE], 720 KiB; look code points up with `mode="clip"`.
    """
    table = np.full(TABLE_SIZE, UNPROVEN, np.int32)
    unknown, rules = vocabulary.unknown_id, vocabulary.rules
    for code in _own_ideographs().tolist():
        table[code] = vocabulary.ids.get(chr(code), unknown)
    others = _other_characters(lower_case, rules.strip_accents, rules.splits_symbols)
    for code, word in others.items():
        if isinstance(word, str):
            table[code] = vocabulary.ids.get(word, unknown)
        else:
            table[code] = word
    if not tokenize_chinese_chars:
        for first, last in IDEOGRAPHS:
            table[first : last + 1] = UNPROVEN
        table[_agreed_ideographs()] = IN_WORD
    return table


def word_characters(
    table: Int32, *, lower_case: bool, strip_accents: bool | None = None
) -> Mapping[int, str]:
    """By code point, the form inside a word of each character that `table` marks IN_WORD."""
    codes = (table == IN_WORD).nonzero()[0].tolist()
    return {
        code: chr(code)
        if is_ideograph(chr(code))
        else basic_words(f"a{chr(code)}a", lower_case=lower_case, strip_accents=strip_accents)[0][1]
        for code in codes
    }


@functools.cache
def _own_ideographs() -> Int32:
    """Code points of the ideographs that composition leaves as they are."""
    return np.array([code for code in _ideograph_codes() if _is_own(code)], np.int32)


@functools.cache
def _agreed_ideographs() -> Int32:
    """Code points of the ideographs that `tokenizers` leaves as they are inside words too."""
    agreed = re.compile(f"[{AGREED}]")
    return np.array([code for code in _own_ideographs().tolist() if agreed.match(chr(code))])


@functools.cache
def _other_characters(
    lower_case: bool, strip_accents: bool | None, splits_symbols: bool
) -> Mapping[int, str | int]:
    """Character of its own word, SEPARATES or IN_WORD, by code point."""
    agreed = re.compile(f"[{AGREED}]")
    others: dict[int, str | int] = {}
    for code in _candidates(agreed):
        match basic_words(
            f"a{chr(code)}a",
            lower_case=lower_case,
            strip_accents=strip_accents,
            splits_symbols=splits_symbols,
        ):
            case ["a", word, "a"] if len(word) == 1:
                others[code] = word
            case ["a", "a"]:
                others[code] = SEPARATES
            # One character for one, so that a word has no more tokens than characters.
            case [word] if len(word) == 3 and agreed.match(chr(code)):
                others[code] = IN_WORD
    return others


def _candidates(agreed: re.Pattern[str]) -> Iterator[int]:
    """Code points to test, beside `_own_ideographs`."""
    for code in range(IDEOGRAPHS[2][0]):
        character = chr(code)
        might = agreed.match(character) or unicodedata.category(character)[0] in "PZ"
        if might and not is_ideograph(character):
            yield code
    yield from (code for code in _ideograph_codes() if not _is_own(code))


def _ideograph_codes() -> Iterator[int]:
    for first, last in IDEOGRAPHS:
        yield from range(first, min(last + 1, TABLE_SIZE - 1))


def _is_own(ideograph: int) -> bool:
    """Return True when the code point is assigned and its own composed form."""
    character = chr(ideograph)
    return unicodedata.category(character) == "Lo" and not unicodedata.decomposition(character)
