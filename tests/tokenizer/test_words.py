"""Words know where in the text each of their characters came from."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given

from ernie_triton.tokenizer.words import Origin, basic_words, words_with_origins
from tests.tokenizer.unicode_texts import CASES, SOME, any_text, mixed_text


@CASES
@SOME
@given(text=any_text)
def test_words_with_origins_are_the_basic_words(lower_case: bool, text: str) -> None:
    made = words_with_origins(text, lower_case=lower_case)
    assert [word for word, _ in made] == basic_words(text, lower_case=lower_case)


@CASES
@SOME
@given(text=any_text)
def test_every_character_has_an_origin_inside_the_text_in_order(
    lower_case: bool, text: str
) -> None:
    made = words_with_origins(text, lower_case=lower_case)
    assert all(len(word) == len(origins) for word, origins in made)
    origins = [origin for _, of_word in made for origin in of_word]
    assert all(0 <= first < end <= len(text) for first, end in origins)
    for (first, end), (next_first, next_end) in itertools.pairwise(origins):
        assert first <= next_first
        assert end <= next_end


@CASES
@SOME
@given(text=mixed_text)
def test_the_characters_that_a_word_came_from_make_it_again(lower_case: bool, text: str) -> None:
    for word, origins in words_with_origins(text, lower_case=lower_case):
        cut = text[origins[0][0] : origins[-1][1]]
        assert basic_words(cut, lower_case=lower_case) == [word]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("北 a", [("北", [(0, 1)]), ("a", [(2, 3)])]),
        ("a\x00B", [("ab", [(0, 1), (2, 3)])]),
        ("Cafe\u0301!", [("cafe", [(0, 1), (1, 2), (2, 3), (3, 5)]), ("!", [(5, 6)])]),
        ("\u1112\u1161\u11abx", [("\u1112\u1161\u11abx", [(0, 1), (1, 2), (2, 3), (3, 4)])]),
        # One character that folds to two, of which one is an accent.
        ("İx", [("ix", [(0, 1), (1, 2)])]),
        ("\uf900豈", [("\u8c48", [(0, 1)]), ("豈", [(1, 2)])]),
        ("", []),
        (" \u200b\u3000", []),
    ],
)
def test_hand_worked_texts_have_their_origins(
    text: str, words: list[tuple[str, list[Origin]]]
) -> None:
    assert words_with_origins(text, lower_case=True) == words


def test_letters_and_marks_stay_apart_where_accents_are_kept() -> None:
    made = words_with_origins("e\u0301\u1112\u1161", lower_case=False)
    assert made == [("e\u0301\u1112\u1161", [(0, 1), (1, 2), (2, 3), (3, 4)])]


def test_marks_that_change_places_across_characters_have_the_whole_for_origin() -> None:
    # NFD puts the stem (class 216) before the tone mark (224); both are spacing marks, which stay.
    text = "xq\u302e\U0001d165"
    ((word, origins),) = words_with_origins(text, lower_case=True)
    assert word == "xq\U0001d165\u302e"
    assert origins[0][0] == 0
    assert origins[-1][1] == len(text)
    assert all(0 <= first < end <= len(text) for first, end in origins)
