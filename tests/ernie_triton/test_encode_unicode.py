"""No character, in no company, is tokenised otherwise than by transformers' original tokenizer."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ernie_triton.encode import _OTHER, TextEncoder, basic_words
from tests.ernie_triton.original_tokenizer import LEGACY, SPECIAL_TOKENS, OriginalTokenizer

CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
AGREED = [character for character in CHARACTERS if not _OTHER.search(character)]
CASES = pytest.mark.parametrize("lower_case", [True, False], ids=["uncased", "cased"])
MANY = settings(
    max_examples=2000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)

# Characters that change with their neighbours, or that two Unicode tables see differently.
TROUBLESOME = (
    "aAzZéÉßẞİıŉǰΣσςΐ\u0300\u0301\u0307\u0308\u0323\u0338\u0345\u3099\u309a\u093c\u0e33"
    "か가\u1100\u1161\u11a8\u11a9中\u9fff\u3400\U00020000\U0002b740\U0002b81e\uf900\ufa0e\U0002f800"
    "\x00\x01\t\n\r\x0b\x0c\x1c\x1f\x7f\x85\u00a0\u00ad\u200b\u200d\u2028\u2029\u202f\u3000\ufe0f"
    "\ufffd\ue000\u0378\uffff\u2126\u212a\u2329\u232a\u037e\u0387\u1fef\u2000"
    "#[]$^`.,、。①😀👍🏽🇨🇳ｶﾞＡ１\u0640\u06dd\u0890\u180e\u2e52\u2e5d\u061d\U00011fff"
)


def in_chunks(characters: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(characters), size):
        yield characters[start : start + size]


@CASES
def test_every_code_point_alone_and_between_letters_makes_the_original_words(
    lower_case: bool,
) -> None:
    # No folding by character here: alone and between letters no sigma is final.
    original = LEGACY.BasicTokenizer(do_lower_case=lower_case)
    unassigned = [c for c in CHARACTERS if unicodedata.category(c) in {"Cn", "Co"}]
    assigned = [c for c in CHARACTERS if unicodedata.category(c) not in {"Cn", "Co"}]
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
    for chunk in in_chunks(AGREED, 500):
        text = " ".join(f"{one} a{one}b {one}{one} 中{one}. {one}9" for one in chunk)
        assert not _OTHER.search(text)
        made = encoders[lower_case].encode([text]).input_ids.tolist()
        assert made[1:-1] == originals[lower_case].token_ids(text)


def texts_of(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.one_of(alphabet, alphabet, alphabet, st.sampled_from((*SPECIAL_TOKENS, " ")))
    return st.lists(parts, max_size=24).map("".join)


any_text = texts_of(
    st.one_of(
        st.sampled_from(TROUBLESOME),
        st.characters(exclude_categories=["Cs"]),
        st.characters(categories=("Mn", "Mc", "Lu", "Lt", "Lm", "Po", "So", "Nl")),
        st.characters(min_codepoint=0x21, max_codepoint=0x7E),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
    )
)
agreed_text = texts_of(st.sampled_from(AGREED))


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
