"""A text longer than a row can hold is read only as far as needed, and cut as if read whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ernie_triton.arrays import Int32
from ernie_triton.tokenizer.encoder import TextEncoder, WordPieceTexts
from ernie_triton.tokenizer.long_texts import SHORT_TEXT_CHARACTERS_PER_TOKEN
from ernie_triton.tokenizer.vocabulary import Vocabulary, load_vocabulary
from tests.tokenizer.original_tokenizer import OriginalTokenizer

LENGTH = 200_000
MAX_LENGTH = 128
SHORT = MAX_LENGTH * SHORT_TEXT_CHARACTERS_PER_TOKEN
"""Characters up to which a text is read whole."""


class CountingTexts(WordPieceTexts):
    """The tokenizer, with a note of how many characters it read."""

    characters = 0

    def _tokenise(
        self, texts: Sequence[str], texts_per_row: int, others: dict[int, list[int]]
    ) -> tuple[Int32, Int32]:
        self.characters += sum(map(len, texts))
        return super()._tokenise(texts, texts_per_row, others)


class CountingEncoder(TextEncoder):
    """The encoder of such a tokenizer."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        how: Any = {"max_length": MAX_LENGTH, "lower_case": True}
        super().__init__(vocabulary, **how)
        self._texts = self.counting = CountingTexts(vocabulary, **how, tokenize_chinese_chars=True)

    @property
    def characters(self) -> int:
        return self.counting.characters


@pytest.fixture(scope="module")
def original(paddle_vocab: Path) -> OriginalTokenizer:
    return OriginalTokenizer(paddle_vocab, lower_case=True)


@pytest.fixture
def encoder(paddle_vocab: Path) -> CountingEncoder:
    return CountingEncoder(load_vocabulary(paddle_vocab))


@pytest.mark.parametrize(
    ("text", "most_read"),
    [
        pytest.param("北京" * (LENGTH // 2), SHORT, id="Chinese"),
        pytest.param("iPhone 12，涨价30%！é\u0301ß\u3000" * (LENGTH // 20), 2 * SHORT, id="mixed"),
        pytest.param("[SEP] x" * (LENGTH // 7), 2 * SHORT, id="special tokens"),
        pytest.param("a" * 99 + " " + "北" * LENGTH, 2 * SHORT, id="a word, then Chinese"),
        pytest.param("a" * LENGTH, LENGTH, id="one word"),
        pytest.param(" " * LENGTH, 3 * LENGTH, id="spaces"),
        pytest.param("\u3000" * LENGTH + "北京" * 100, 4 * LENGTH, id="text after spaces"),
        pytest.param("\x0b" * LENGTH + "a", 2 * LENGTH, id="controls"),
        pytest.param("!" * LENGTH, LENGTH, id="punctuation"),
    ],
)
def test_a_very_long_text_makes_the_row_of_the_whole_from_its_beginning(
    text: str, most_read: int, encoder: CountingEncoder, original: OriginalTokenizer
) -> None:
    made = encoder.encode([text])
    whole = original.token_ids(text)
    vocabulary = original.as_in_version_5.vocab
    kept = whole[: MAX_LENGTH - 2]
    assert made.input_ids.tolist() == [vocabulary["[CLS]"], *kept, vocabulary["[SEP]"]]
    assert made.truncated.tolist() == [len(whole) > len(kept)]
    assert encoder.characters <= most_read


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("short", ["", "北京", "北京" * 31, "北京" * 200])
def test_a_very_long_half_of_a_pair_leaves_the_other_its_room(
    short: str, swap: bool, encoder: CountingEncoder, original: OriginalTokenizer
) -> None:
    first, second = ("天气 " * 50_000, short) if not swap else (short, "天气 " * 50_000)
    made = encoder.encode([first], [second])
    expected = original.row(first, second, MAX_LENGTH)
    assert (made.input_ids.tolist(), made.token_type_ids.tolist()) == expected
    assert made.truncated.tolist() == [True]
    assert encoder.characters <= 3 * SHORT


def test_a_long_text_among_short_ones_leaves_them_in_their_places(
    encoder: CountingEncoder, original: OriginalTokenizer
) -> None:
    texts = ["北京", "天气 " * 50_000, "", "好吃！" * 9999, "iphone"]
    made = encoder.encode(texts)
    expected = [original.row(text, None, MAX_LENGTH)[0] for text in texts]
    assert made.input_ids.tolist() == [token for ids in expected for token in ids]
    assert made.lengths.tolist() == [len(ids) for ids in expected]
    assert made.truncated.tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("control", ["\v", "\f", "\x1c", "\x1f", "\x85"])
def test_a_word_is_not_cut_at_a_control_character_inside(
    control: str, encoder: CountingEncoder, original: OriginalTokenizer
) -> None:
    # 120 letters with the control dropped, so [UNK]; cut in two, each half would have its pieces.
    text = "天" * 100 + " " * (SHORT - 160) + "a" * 60 + control + "a" * 60
    assert text[SHORT] == control
    assert encoder.encode([text]).input_ids.tolist() == original.row(text, None, MAX_LENGTH)[0]


words = st.one_of(
    st.text("ab1", max_size=60),
    st.text("北京天气好", max_size=12),
    st.sampled_from(["[SEP]", "[MASK]", "，", "!", "é", "e\u0301", "Σ", "\U00020000", "\uf900"]),
    st.text(" \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\u3000\u200b", max_size=9),
)
long_texts = st.lists(words, max_size=12).map("".join)


@settings(
    max_examples=500, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
# With an even room: which of two texts that are read in part is longer is not known.
@given(first=long_texts, second=st.none() | long_texts, max_length=st.sampled_from([3, 5, 7]))
def test_random_long_texts_make_the_rows_of_the_whole(
    first: str,
    second: str | None,
    max_length: int,
    small_encoders: dict[int, TextEncoder],
    original: OriginalTokenizer,
) -> None:
    made = small_encoders[max_length].encode([first], *([] if second is None else [[second]]))
    expected = original.row(first, second, max_length)
    assert (made.input_ids.tolist(), made.token_type_ids.tolist()) == expected


@pytest.fixture(scope="module")
def small_encoders(paddle_vocab: Path) -> dict[int, TextEncoder]:
    """Encoders of short rows, by `max_length`: their texts are long early."""
    vocabulary = load_vocabulary(paddle_vocab)
    return {n: TextEncoder(vocabulary, max_length=n, lower_case=True) for n in range(3, 8)}
