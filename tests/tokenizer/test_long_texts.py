"""Texts that would take the tokenizer long are shortened without a change, or refused."""

from __future__ import annotations

import contextlib
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ernie_triton.errors import TextError
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.long_texts import (
    MOST_MARKS,
    MOST_READ_CHARACTERS,
    refuse_piled_marks,
    without_runs,
)
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.tokenizer.original_tokenizer import OriginalTokenizer

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def encoder(paddle_vocab: Path) -> TextEncoder:
    return TextEncoder(load_vocabulary(paddle_vocab), max_length=128, lower_case=True)


@pytest.fixture(scope="module")
def original(paddle_vocab: Path) -> OriginalTokenizer:
    return OriginalTokenizer(paddle_vocab, lower_case=True)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("北京  \n\t天气", "北京 天气"),
        ("a" * 5000, "a" * 101),
        ("a" * 100, "a" * 100),
        ("[MA\x01\x02SK]", "[MA\x01SK]"),
        ("a\x01 \x01b", "a b"),
        (" \x0b" * 9999 + "好", " 好"),
    ],
)
def test_runs_without_tokens_of_their_own_are_shortened(text: str, short: str) -> None:
    assert without_runs(text, 1000) == (short, True)


def test_the_beginning_of_a_longer_text_is_kept() -> None:
    assert without_runs("北京" * 600, 1000) == ("北京" * 500, False)


_GAPS = " \t\u3000\xa0\u2028\x01\x0b\x1c\x85\u200b\ufeff"
pieces = st.sampled_from([*_GAPS, "a" * 40, "B9" * 30, "北", "é", "e\u0301", "[MASK]", "[SEP", "!"])


@settings(max_examples=500, deadline=None, database=None)
@given(text=st.lists(pieces, max_size=40).map("".join))
def test_a_shortened_text_has_the_tokens_of_the_whole(
    text: str, original: OriginalTokenizer
) -> None:
    short, is_whole = without_runs(text, 300)
    ids = original.token_ids(text)
    found = original.token_ids(short)
    assert found == ids if is_whole else found[:-100] == ids[: max(len(found) - 100, 0)]


@pytest.mark.parametrize(
    "pattern",
    [
        "한국",
        "e\u0301",
        " \x02",
        "\n\x85",
        "\ufdfa",
        "عرب",
        "ไทย",
        "a",
        "1",
        "\u1112\u1161\u11ab",
        "\ue000",
    ],
)
def test_a_mebibyte_of_anything_takes_no_longer_than_a_busy_batch(
    pattern: str, encoder: TextEncoder
) -> None:
    text = pattern * (MEBIBYTE // len(pattern.encode()))
    started = time.thread_time()
    with contextlib.suppress(TextError):
        encoder.encode([text])
    # Measured: at most 0.07 s on a busy machine; the whole text took up to 3 s.
    assert time.thread_time() - started < 0.7


def test_a_refused_text_names_what_was_found(encoder: TextEncoder) -> None:
    text = "한국" * 200_000
    with pytest.raises(
        TextError, match=f"400,000 characters.* the first {MOST_READ_CHARACTERS:,} "
    ):
        encoder.encode([text])


@pytest.mark.parametrize("marks", ["\u0301\u0327", "\u0301\x01", "\u0f73", "\u0344"])
def test_piled_marks_are_refused_before_they_take_minutes(marks: str, encoder: TextEncoder) -> None:
    text = "a" + marks * 50_000
    with pytest.raises(TextError, match="more than 256 combining marks on one character"):
        encoder.encode([text])
    with pytest.raises(TextError, match="more than 256 combining marks on one character"):
        encoder.tokens_with_spans([text])


def test_every_character_that_becomes_marks_alone_counts_as_one() -> None:
    for code in range(0x110000):
        character = chr(code)
        normal = unicodedata.normalize("NFD", character)
        if all(unicodedata.combining(one) for one in normal):
            with pytest.raises(TextError):
                refuse_piled_marks(character * (MOST_MARKS + 1))


def test_as_many_marks_as_writing_has_are_no_fault() -> None:
    refuse_piled_marks(("a" + "\u0301" * 40) * 100)
