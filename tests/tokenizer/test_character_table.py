"""The table says of a character only what no neighbour can change."""

from __future__ import annotations

import random
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.tokenizer.character_table import (
    IN_WORD,
    SEPARATES,
    TABLE_SIZE,
    UNPROVEN,
    character_table,
)
from ernie_triton.tokenizer.vocabulary import Vocabulary, load_vocabulary
from tests.tokenizer.original_tokenizer import OriginalTokenizer
from tests.tokenizer.unicode_texts import CASES

SMALL = Vocabulary(
    ids={
        token: place
        for place, token in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "北", "，", "豈", ";"))
    },
    size=8,
)


@CASES
def test_every_proven_character_has_its_tokens_among_any_others(
    lower_case: bool, rich_vocab: Path
) -> None:
    table = character_table(load_vocabulary(rich_vocab), lower_case=lower_case)
    original = OriginalTokenizer(rich_vocab, lower_case=lower_case)
    chance = random.Random(0)
    letters = original.token_ids("z")
    alone = np.flatnonzero(table != UNPROVEN)
    chance.shuffle(order := alone.tolist())
    for start in range(0, len(order), 400):
        codes = [code for code in order[start : start + 400] if table[code] != IN_WORD]
        expected = [
            token
            for code in codes
            for token in ([table[code]] if table[code] >= 0 else []) + letters
        ]
        assert original.token_ids("".join(f"{chr(code)}z" for code in codes)) == expected
        expected = [token for token in table[codes].tolist() if token >= 0]
        assert original.token_ids("".join(map(chr, codes))) == expected


def test_no_proven_character_composes_with_the_one_before() -> None:
    seconds: set[str] = set()
    for character in map(chr, range(sys.maxunicode + 1)):
        if not unicodedata.decomposition(character).startswith("<"):
            seconds.update(unicodedata.normalize("NFD", character)[1:])
    for lower_case in (True, False):
        table = character_table(SMALL, lower_case=lower_case)
        for code in np.flatnonzero(table != UNPROVEN).tolist():
            # The first three blocks of Hangul's letters compose by arithmetic, as NFD shows.
            assert chr(code) not in seconds
            assert unicodedata.combining(chr(code)) == 0


@pytest.mark.parametrize(
    ("character", "value"),
    [
        ("北", 4),
        ("京", 1),
        ("，", 5),
        ("\uf900", 6),  # composed to the ideograph that it is compatible with
        ("\u037e", 7),  # the Greek question mark is composed to a semicolon
        (" ", SEPARATES),
        ("\u3000", SEPARATES),
        ("\t", SEPARATES),
        ("a", IN_WORD),
        ("９", IN_WORD),
        ("😀", IN_WORD),
        ("\x00", UNPROVEN),
        ("\u00ad", UNPROVEN),
        ("\u0301", UNPROVEN),
        ("\u1161", UNPROVEN),
        ("\u200d", UNPROVEN),
        ("한", UNPROVEN),
        ("\ud800", UNPROVEN),
        ("\U00020000", 1),
        ("\U0002a6df", 1 if unicodedata.category("\U0002a6df") == "Lo" else UNPROVEN),
        (chr(TABLE_SIZE - 1), UNPROVEN),
    ],
)
def test_hand_picked_characters_are_what_they_are(character: str, value: int) -> None:
    assert character_table(SMALL, lower_case=True)[ord(character)] == value


def test_the_last_entry_stands_for_all_characters_beyond() -> None:
    table = character_table(SMALL, lower_case=True)
    assert table.shape == (TABLE_SIZE,)
    assert table.dtype == np.int32
    beyond = table.take([TABLE_SIZE, 0x2F800, 0x10FFFF], mode="clip")
    assert beyond.tolist() == [UNPROVEN] * 3


def test_a_vocabulary_changes_no_table_but_its_own() -> None:
    other = Vocabulary(ids={"[UNK]": 3, "京": 9}, size=10)
    assert character_table(other, lower_case=True)[[ord("北"), ord("京")]].tolist() == [3, 9]
    assert character_table(SMALL, lower_case=True)[[ord("北"), ord("京")]].tolist() == [4, 1]
