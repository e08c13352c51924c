"""A batch of texts as one array: places, words and tokens stay with their texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.tokenizer.character_table import IN_WORD, SEPARATES, TABLE_SIZE, UNPROVEN
from ernie_triton.tokenizer.joined_texts import END, START, JoinedTexts
from ernie_triton.tokenizer.word_cache import WordCache

CLASSIFY, SEPARATE = 1, 2


@pytest.fixture
def table() -> npt.NDArray[np.int32]:
    """Capitals are tokens of their own from 10 on, small letters make words."""
    table = np.full(TABLE_SIZE, UNPROVEN, np.int32)
    table[ord("A") : ord("Z") + 1] = np.arange(10, 36)
    table[ord("a") : ord("z") + 1] = IN_WORD
    table[ord(" ")] = SEPARATES
    table[[ord(START), ord(END)]] = CLASSIFY, SEPARATE
    return table


def lengths_of(words: Sequence[str]) -> list[bytes]:
    """For each word its length + 100 as its only token."""
    return [
        np.array([100 + len(word), *[SEPARATES] * (len(word) - 1)], np.int32).tobytes()
        for word in words
    ]


def test_texts_of_single_tokens_are_rows_as_they_are(table: npt.NDArray[np.int32]) -> None:
    joined = JoinedTexts(["AB", "", "C"], 1, table)
    assert joined.is_plain
    assert joined.values.tolist() == [1, 10, 11, 2, 1, 2, 1, 12, 2]
    assert joined.counts.tolist() == [2, 0, 1]
    assert joined.unproven_texts() == set()


def test_the_second_text_of_a_row_has_no_start(table: npt.NDArray[np.int32]) -> None:
    joined = JoinedTexts(["AB", "C", "", "D"], 2, table)
    assert joined.values.tolist() == [1, 10, 11, 2, 12, 2, 1, 2, 13, 2]
    assert joined.firsts.tolist() == [1, 4, 7, 8]
    assert [joined.text[place] for place in joined.firsts] == ["A", "C", END, "D"]


@pytest.mark.parametrize("texts_per_row", [1, 2])
def test_words_and_whitespace_leave_the_counts_of_tokens(
    texts_per_row: int, table: npt.NDArray[np.int32]
) -> None:
    texts = ["abA b", "  ", "A", "cab"]
    joined = JoinedTexts(texts, texts_per_row, table)
    assert joined.words()[1] == ["ab", "b", "cab"]
    joined.put_word_ids(WordCache(lengths_of))
    ids, counts = joined.tokens({})
    assert counts.tolist() == [3, 0, 1, 1]
    expected = {
        1: [1, 102, 10, 101, 2, 1, 2, 1, 10, 2, 1, 103, 2],
        2: [1, 102, 10, 101, 2, 2, 1, 10, 2, 103, 2],
    }
    assert ids.tolist() == expected[texts_per_row]


@pytest.mark.parametrize("texts_per_row", [1, 2])
def test_texts_that_are_left_out_get_the_ids_that_are_given(
    texts_per_row: int, table: npt.NDArray[np.int32]
) -> None:
    joined = JoinedTexts(["A", "?B", "C", "é"], texts_per_row, table)
    assert joined.unproven_texts() == {1, 3}
    joined.leave_out([1, 3])
    ids, counts = joined.tokens({3: [7], 1: [8, 9, 8]})
    assert counts.tolist() == [1, 3, 1, 1]
    expected = {
        1: [1, 10, 2, 1, 8, 9, 8, 2, 1, 12, 2, 1, 7, 2],
        2: [1, 10, 2, 8, 9, 8, 2, 1, 12, 2, 7, 2],
    }
    assert ids.tolist() == expected[texts_per_row]


@pytest.mark.parametrize("text", [START, END, f"A{END}{START}B", f"{START}A"])
def test_a_text_with_a_mark_inside_is_unproven_and_moves_no_other(
    text: str, table: npt.NDArray[np.int32]
) -> None:
    joined = JoinedTexts(["A", text, "BC"], 1, table)
    assert joined.has_marks_inside
    assert joined.unproven_texts() == {1}
    joined.leave_out([1])
    ids, counts = joined.tokens({1: []})
    assert ids.tolist() == [1, 10, 2, 1, 2, 1, 11, 12, 2]
    assert counts.tolist() == [1, 0, 2]


def test_every_place_belongs_to_its_text(table: npt.NDArray[np.int32]) -> None:
    texts = ["AB", "", "C"]
    joined = JoinedTexts(texts, 1, table)
    assert joined.texts_at(np.arange(len(joined.text))) == [0, 0, 0, 0, 1, 1, 2, 2, 2]


def test_spans_count_from_the_text_and_pieces_of_words_from_the_word(
    table: npt.NDArray[np.int32],
) -> None:
    def first_letter_and_rest(words: Sequence[str]) -> list[bytes]:
        made = []
        for word in words:
            cells = np.full((len(word), 3), SEPARATES, np.int32)
            cells[0] = (50, 1, 1)
            if len(word) > 1:
                cells[1] = (51, len(word) - 1, 0)
            made.append(cells.tobytes())
        return made

    joined = JoinedTexts(["A abc", "", "bC"], 1, table)
    made = joined.tokens_with_spans(WordCache(first_letter_and_rest))
    assert [tokens.ids.tolist() for tokens in made] == [[10, 50, 51], [], [50, 12]]
    assert [tokens.spans.tolist() for tokens in made] == [
        [[0, 1, 1], [2, 3, 1], [3, 5, 0]],
        [],
        [[0, 1, 1], [1, 2, 1]],
    ]
