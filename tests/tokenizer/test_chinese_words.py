"""With `tokenize_chinese_chars` off, tokens are what transformers' original tokenizer makes then.

A run of Chinese is one word, which the vocabulary's pieces of several characters cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.tokenizer import encoder as encode
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from ernie_triton.tokenizer.words import basic_words, words_with_origins
from tests.tokenizer.original_tokenizer import LEGACY, OriginalTokenizer, write_word_vocabulary
from tests.tokenizer.random_texts import Comparison, in_batches, random_texts
from tests.tokenizer.test_encoder import TEXTS, rows
from tests.tokenizer.unicode_texts import CASES, SOME, any_text, mixed_text

UNCUT = 10_000_000
HAND_MADE = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "，"),
    *("新", "##新", "新闻", "##新闻", "闻", "##闻", "公", "##公", "##公司", "司", "新闻公"),
    *("iphone", "##12", "##涨", "##涨价了"),
)


@pytest.fixture(scope="module")
def word_vocab(tmp_path_factory: pytest.TempPathFactory, paddle_vocab: Path) -> Path:
    path = tmp_path_factory.mktemp("words") / "vocab.txt"
    write_word_vocabulary(path, of=paddle_vocab)
    return path


@pytest.fixture(scope="module")
def word_encoders(word_vocab: Path) -> Mapping[bool, TextEncoder]:
    return {case: encoder(word_vocab, lower_case=case) for case in (True, False)}


@pytest.fixture(scope="module")
def word_originals(word_vocab: Path) -> Mapping[bool, OriginalTokenizer]:
    return {case: original(word_vocab, lower_case=case) for case in (True, False)}


@pytest.fixture
def hand_made(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{token}\n" for token in HAND_MADE), encoding="utf-8")
    return path


def encoder(vocab: Path, max_length: int = UNCUT, *, lower_case: bool = True) -> TextEncoder:
    return TextEncoder(
        load_vocabulary(vocab),
        max_length=max_length,
        lower_case=lower_case,
        tokenize_chinese_chars=False,
    )


def original(vocab: Path, *, lower_case: bool = True) -> OriginalTokenizer:
    return OriginalTokenizer(vocab, lower_case=lower_case, tokenize_chinese_chars=False)


def tokens(vocab: Path, text: str) -> list[str]:
    ids = encoder(vocab).encode([text]).input_ids.tolist()
    return [HAND_MADE[token] for token in ids[1:-1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The longest piece leads to a place without one; there is no way back.
        ("新闻公司", ["[UNK]"]),
        ("新新闻公司", ["新", "##新闻", "##公司"]),
        ("闻公司，公司", ["闻", "##公司", "，", "[UNK]"]),
        ("新 闻", ["新", "闻"]),
        ("iPhone12涨", ["iphone", "##12", "##涨"]),
        ("新12", ["新", "##12"]),
        ("新涨价", ["[UNK]"]),
        ("新涨价了", ["新", "##涨价了"]),
        ("新京", ["[UNK]"]),
    ],
)
@pytest.mark.parametrize("few_characters", [0, 1000], ids=["table", "word by word"])
def test_hand_worked_words_are_cut_by_the_longest_piece(
    text: str,
    expected: list[str],
    few_characters: int,
    hand_made: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encode, "FEW_CHARACTERS", few_characters)
    assert tokens(hand_made, text) == expected


@CASES
@SOME
@given(texts=st.lists(st.one_of(any_text, mixed_text), min_size=1, max_size=6))
def test_random_texts_have_the_original_ids(
    lower_case: bool,
    texts: list[str],
    word_encoders: Mapping[bool, TextEncoder],
    word_originals: Mapping[bool, OriginalTokenizer],
) -> None:
    made = [ids[1:-1] for ids, _ in rows(word_encoders[lower_case].encode(texts))]
    assert made == [word_originals[lower_case].token_ids(text) for text in texts]


@CASES
def test_generated_texts_have_the_same_ids_and_spans_in_batches_and_alone(
    lower_case: bool, word_vocab: Path
) -> None:
    comparison = Comparison(word_vocab, lower_case=lower_case, tokenize_chinese_chars=False)
    texts = random_texts(5, load_vocabulary(word_vocab))
    for batch in in_batches(texts, 6_000):
        assert list(comparison.differences(batch)) == []


@CASES
@SOME
@given(text=any_text)
def test_words_are_the_original_ones(lower_case: bool, text: str) -> None:
    basic = LEGACY.BasicTokenizer(do_lower_case=lower_case, tokenize_chinese_chars=False)
    folded = "".join(map(str.lower, text)) if lower_case else text
    made = basic_words(text, lower_case=lower_case, tokenize_chinese_chars=False)
    assert made == basic.tokenize(folded)
    placed = words_with_origins(text, lower_case=lower_case, tokenize_chinese_chars=False)
    assert [word for word, _ in placed] == made


@pytest.mark.parametrize("max_length", [3, 8, 32])
def test_pairs_are_cut_as_the_original_cuts(max_length: int, word_vocab: Path) -> None:
    seconds = [*TEXTS[7:], *TEXTS[:7]]
    made = encoder(word_vocab, max_length).encode(TEXTS, seconds)
    reference = original(word_vocab)
    pairs = zip(TEXTS, seconds, strict=True)
    assert rows(made) == [reference.row(*pair, max_length) for pair in pairs]


@pytest.mark.parametrize("length", [99, 100, 101, 5000])
@pytest.mark.parametrize("tail", ["", "，", "a"])
def test_a_run_of_more_than_100_characters_is_unknown_as_in_the_original(
    length: int, tail: str, word_vocab: Path
) -> None:
    text = "，" + "一" * length + tail + " 一"
    ids = encoder(word_vocab).encode([text]).input_ids.tolist()
    unknown = load_vocabulary(word_vocab).ids["[UNK]"]
    assert ids[1:-1] == original(word_vocab).token_ids(text)
    assert (unknown in ids) == (length + (tail == "a") > 100)


@pytest.mark.parametrize("mark", ["，", ""])
def test_a_long_text_is_cut_as_if_all_of_it_were_read(mark: str, word_vocab: Path) -> None:
    text = mark.join("一" * (1 + n % 30) for n in range(400))
    made = encoder(word_vocab, 16).encode([text])
    assert made.input_ids.tolist() == original(word_vocab).row(text, None, 16)[0]


def test_spans_are_the_characters_that_each_piece_came_from(hand_made: Path) -> None:
    text = "x 新新闻Ｘ，iPhone12涨 新\u0301闻"
    (made,) = encoder(hand_made).tokens_with_spans([text])
    found = [
        (HAND_MADE[token], text[first:end], begins)
        for token, (first, end, begins) in zip(made.ids, made.spans.tolist(), strict=True)
    ]
    assert found == [
        ("[UNK]", "x", 1),
        ("[UNK]", "新新闻Ｘ", 1),
        ("，", "，", 1),
        ("iphone", "iPhone", 1),
        ("##12", "12", 0),
        ("##涨", "涨", 0),
        ("新闻", "新\u0301闻", 1),
    ]


def test_a_batch_of_proven_texts_has_the_spans_of_its_pieces(hand_made: Path) -> None:
    (made, *_) = encoder(hand_made).tokens_with_spans(["新新闻公司 iPhone12", *["新"] * 80])
    assert made.spans.tolist() == [
        [0, 1, 1],
        [1, 3, 0],
        [3, 5, 0],
        [6, 12, 1],
        [12, 14, 0],
    ]


def test_a_setting_of_one_encoder_leaves_others_as_they_are(word_vocab: Path) -> None:
    vocabulary = load_vocabulary(word_vocab)
    before = TextEncoder(vocabulary, max_length=64, lower_case=True).encode(TEXTS)
    encoder(word_vocab).encode(TEXTS)
    after = TextEncoder(vocabulary, max_length=64, lower_case=True).encode(TEXTS)
    assert np.array_equal(before.input_ids, after.input_ids)
    apart = OriginalTokenizer(word_vocab, lower_case=True)
    assert rows(after) == [apart.row(text, None, 64) for text in TEXTS]
