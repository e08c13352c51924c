"""No character, in no company, is tokenised otherwise than by transformers' original tokenizer."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.fallback import _OTHER
from ernie_triton.tokenizer.words import basic_words, is_ideograph
from tests.tokenizer.original_tokenizer import LEGACY, OriginalTokenizer
from tests.tokenizer.unicode_texts import CASES, MANY, any_text, texts_of

CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
AGREED = [character for character in CHARACTERS if not _OTHER.search(character)]
ALIKE_EVERY = 64
"""One in so many ideographs, and of unassigned code points, stands for its neighbours."""
agreed_text = texts_of(st.sampled_from(AGREED))


def in_chunks(characters: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(characters), size):
        yield characters[start : start + size]


def sampled(characters: Sequence[str]) -> list[str]:
    """All characters but ideographs, and some of those."""
    ideographs = [c for c in characters if is_ideograph(c) and not unicodedata.decomposition(c)]
    alike = set(ideographs) - set(ideographs[::ALIKE_EVERY])
    return [character for character in characters if character not in alike]


@CASES
def test_every_code_point_alone_and_between_letters_makes_the_original_words(
    lower_case: bool,
) -> None:
    # No folding by character here: alone and between letters no sigma is final.
    original = LEGACY.BasicTokenizer(do_lower_case=lower_case)
    unassigned = [c for c in CHARACTERS if unicodedata.category(c) in {"Cn", "Co"}][::ALIKE_EVERY]
    assigned = [c for c in CHARACTERS if unicodedata.category(c) not in {"Cn", "Co"}]
    assigned = sampled(assigned)
    for chunk in in_chunks(assigned, 1000):
        text = " ".join(f"{character} a{character}b" for character in chunk)
        assert basic_words(text, lower_case=lower_case) == original.tokenize(text)
    for chunk in in_chunks(unassigned, 1000):
        text = " a".join(chunk)
        assert basic_words(text, lower_case=lower_case) == original.tokenize(text)


@CASES
def test_every_agreed_character_has_the_original_ids_without_our_own_words(
    lower_case: bool,
    encoders: Mapping[bool, TextEncoder],
    originals: Mapping[bool, OriginalTokenizer],
) -> None:
    assert len(AGREED) > 30_000
    for chunk in in_chunks(sampled(AGREED), 500):
        text = " ".join(f"{one} a{one}b {one}{one} 中{one}. {one}9" for one in chunk)
        assert not _OTHER.search(text)
        made = encoders[lower_case].encode([text]).input_ids.tolist()
        assert made[1:-1] == originals[lower_case].token_ids(text)


@CASES
@MANY
@given(text=any_text)
def test_random_unicode_has_the_original_ids(
    lower_case: bool,
    text: str,
    encoders: Mapping[bool, TextEncoder],
    originals: Mapping[bool, OriginalTokenizer],
) -> None:
    made = encoders[lower_case].encode([text]).input_ids.tolist()
    assert made[1:-1] == originals[lower_case].token_ids(text)


@CASES
@MANY
@given(text=agreed_text)
def test_random_agreed_characters_have_the_original_ids(
    lower_case: bool,
    text: str,
    encoders: Mapping[bool, TextEncoder],
    originals: Mapping[bool, OriginalTokenizer],
) -> None:
    made = encoders[lower_case].encode([text]).input_ids.tolist()
    assert made[1:-1] == originals[lower_case].token_ids(text)
