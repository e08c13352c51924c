"""Words are cut as greedy longest-match-first cuts them, all words of a batch at once."""

from __future__ import annotations

import random
import string

import numpy as np
import pytest

from ernie_triton.tokenizer.piece_table import MAX_WORD_CHARACTERS, PieceTable
from ernie_triton.tokenizer.vocabulary import Vocabulary

LETTERS = {ord(letter): letter for letter in string.ascii_lowercase}


def vocabulary(*tokens: str) -> Vocabulary:
    return Vocabulary(
        ids={token: place for place, token in enumerate(("[UNK]", *tokens))}, size=len(tokens) + 1
    )


def cut(table: PieceTable, text: str) -> list[tuple[int, int, int, bool]]:
    codes = np.array([ord(character) for character in text], np.uint32)
    in_word = np.array([character.isalpha() for character in text])
    made = table.pieces(codes, in_word)
    columns = (made.places, made.ids, made.lengths, made.begins)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def greedy(known: Vocabulary, word: str) -> list[int]:
    """`WordpieceTokenizer.tokenize` of google-research/bert, written out."""
    ids, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = word[start:end] if start == 0 else f"##{word[start:end]}"
            if piece in known.ids:
                ids.append(known.ids[piece])
                start = end
                break
        else:
            return [known.ids["[UNK]"]]
    return ids


def test_hand_worked_words_are_cut() -> None:
    table = PieceTable(vocabulary("a", "ab", "##b", "##bc", "##c"), LETTERS)
    assert cut(table, "abc.ac. bc.abbc.") == [
        (0, 2, 2, True),
        (2, 5, 1, False),
        (4, 1, 1, True),
        (5, 5, 1, False),
        (8, 0, 2, True),
        (11, 2, 2, True),
        (13, 4, 2, False),
    ]


def test_a_word_is_unknown_as_a_whole_and_its_neighbours_stay() -> None:
    table = PieceTable(vocabulary("a", "##a"), LETTERS)
    assert [token for _, token, _, _ in cut(table, "aa.aba.a.")] == [1, 2, 0, 1]


def test_the_longest_word_allowed_is_cut_and_one_more_is_unknown() -> None:
    table = PieceTable(vocabulary("a", "##a"), LETTERS)
    longest = "a" * MAX_WORD_CHARACTERS
    assert len(cut(table, f"{longest}.")) == MAX_WORD_CHARACTERS
    assert cut(table, f"{longest}a.") == [(0, 0, MAX_WORD_CHARACTERS + 1, True)]


def test_a_character_is_read_as_it_is_inside_a_word() -> None:
    table = PieceTable(vocabulary("ab", "##b"), {**LETTERS, ord("B"): "b"})
    assert [token for _, token, _, _ in cut(table, "aBB.")] == [1, 2]


@pytest.mark.parametrize("text", [".", "...", "a."])
def test_a_vocabulary_without_pieces_knows_no_word(text: str) -> None:
    made = cut(PieceTable(vocabulary("[CLS]", "##", "北"), LETTERS), text)
    assert [token for _, token, _, _ in made] == [0] * text.count("a")


@pytest.mark.parametrize("letters", ["ab", "abcdefgh"])
def test_random_vocabularies_cut_random_words_as_the_written_out_loop(letters: str) -> None:
    chance = random.Random(letters)
    for _ in range(60):
        pieces = ["".join(chance.choices(letters, k=chance.randint(1, 5))) for _ in range(60)]
        known = vocabulary(*{f"##{p}" if chance.random() < 0.6 else p for p in pieces})
        words = ["".join(chance.choices(letters, k=chance.randint(1, 12))) for _ in range(40)]
        made = cut(PieceTable(known, LETTERS), "".join(f"{word}." for word in words))
        expected = [token for word in words for token in greedy(known, word)]
        assert [token for _, token, _, _ in made] == expected
