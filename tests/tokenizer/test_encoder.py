"""Tokens are what transformers' original tokenizer makes of the same text, id for id.

The texts here are chosen by hand; `test_encode_unicode.py` goes through all of Unicode and
`test_encode_long_texts.py` through texts that are read in part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from transformers import BertTokenizer

from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.rules import TokenRules
from ernie_triton.tokenizer.token_rows import TokenizedRows
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from ernie_triton.tokenizer.words import basic_words
from tests.tokenizer.original_tokenizer import OriginalTokenizer

TEXTS = (
    "",
    " ",
    " \t\r\n\u3000\u00a0",
    "北京的天安门",
    "今天 iPhone12 Pro涨价30%，不好吃！",
    "The quick brown FOX's tokenizers, 3.14-15_92",
    "2022年１２月３１日ＡＢＣｄｅ～！",
    "😀👍🏽👩‍👩‍👧‍👦☎️❤\ufe0f🇨🇳",
    "caf\u0065\u0301 Ångström A\u030angstro\u0308m naïve",
    "한글 \u1112\u1161\u11ab\u1100\u1173\u11af 조선글",
    "か\u3099き\u309aカ\u3099がギプ ｶﾞﾊﾟ",
    "a\x00b\x01c\x0bd\x0ce\x1cf\x7fg\x85h\u200bi\u00adj\ufeffk",
    "a\x02b\x03c 北\x03\x02京\x02",
    "a\ufffdb\ufffd 中\ufffd",
    "\ue000a\uf8ff \U000f0000b",
    "a\u0378b \U000e0080c\ufdd0\uffff",
    "\u3400\u4db5\U00020000\U0002a6d6\U0002b740x\U0002b820\U0002ceb0",
    "\uf900\ufa0e\U0002f800y\U0002fa1d",
    "ΑΣ ΟΔΟΣ ΣΑΣ. Σ",
    "İSTANBUL Iı İİ ŉ ǰ ẞß ΐ",
    "a" * 100 + " " + "b" * 101 + " " + "中" * 101,
    "é" * 100 + " " + "e\u0301" * 101,
    "[SEP]",
    "[MASK]",
    "[CLS]你[PAD]",
    "a[SEP]b [sep] [[MASK]] [MASK [UNK]x",
    "\u2028a\u2029b\u202fc",
    "٣ ३ Ⅷ ㈱ ½ ﬁ",
    "\u0e01\u0e33 \u0915\u094d\u0937 \u05d0\u05b7",
    "$€¥£ ^`~|<>+= «» „“ …—·、。「」",
    "http://例え.jp/?q=1&b=2#frag",
)


@pytest.fixture(scope="module")
def original(paddle_vocab: Path) -> OriginalTokenizer:
    return OriginalTokenizer(paddle_vocab, lower_case=True)


def encoder(vocab: Path, max_length: int = 512, *, lower_case: bool = True) -> TextEncoder:
    return TextEncoder(load_vocabulary(vocab), max_length=max_length, lower_case=lower_case)


def rows(tokenized: TokenizedRows) -> list[tuple[list[int], list[int]]]:
    """Ids and token type ids of each row."""
    starts = np.cumsum(tokenized.lengths)[:-1]
    ids = np.split(tokenized.input_ids, starts)
    types = np.split(tokenized.token_type_ids, starts)
    return [(a.tolist(), b.tolist()) for a, b in zip(ids, types, strict=True)]


@pytest.mark.parametrize("lower_case", [True, False], ids=["uncased", "cased"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_has_the_original_ids(
    text: str,
    lower_case: bool,
    encoders: Mapping[bool, TextEncoder],
    originals: Mapping[bool, OriginalTokenizer],
) -> None:
    made = rows(encoders[lower_case].encode([text]))
    assert made == [originals[lower_case].row(text, None, 512)]


@pytest.mark.parametrize("lower_case", [True, False], ids=["uncased", "cased"])
def test_what_the_vocabulary_lacks_has_the_original_ids(
    lower_case: bool, paddle_vocab: Path
) -> None:
    original = OriginalTokenizer(paddle_vocab, lower_case=lower_case)
    made = encoder(paddle_vocab, lower_case=lower_case).encode(TEXTS)
    assert rows(made) == [original.row(text, None, 512) for text in TEXTS]


@pytest.mark.parametrize("max_length", [2, 3, 4, 7, 16, 128])
def test_single_texts_are_cut_as_the_original_cuts(
    max_length: int, paddle_vocab: Path, original: OriginalTokenizer
) -> None:
    made = encoder(paddle_vocab, max_length).encode(TEXTS)
    assert rows(made) == [original.row(text, None, max_length) for text in TEXTS]
    needed = [len(original.token_ids(text)) + 2 for text in TEXTS]
    assert made.truncated.tolist() == [length > max_length for length in needed]


@pytest.mark.parametrize("max_length", [3, 4, 5, 8, 9, 32, 128])
def test_pairs_are_cut_as_the_original_cuts(
    max_length: int, paddle_vocab: Path, original: OriginalTokenizer
) -> None:
    seconds = [*TEXTS[7:], *TEXTS[:7]]
    made = encoder(paddle_vocab, max_length).encode(TEXTS, seconds)
    pairs = list(zip(TEXTS, seconds, strict=True))
    assert rows(made) == [original.row(*pair, max_length) for pair in pairs]
    needed = [sum(len(original.token_ids(text)) for text in pair) + 3 for pair in pairs]
    assert made.truncated.tolist() == [length > max_length for length in needed]


@pytest.mark.parametrize("max_length", range(3, 14))
def test_pairs_of_all_small_lengths_are_cut_as_theirs(
    max_length: int, paddle_vocab: Path, original: OriginalTokenizer
) -> None:
    firsts, seconds = zip(
        *(("好" * first, "吃" * second) for first in range(9) for second in range(9)), strict=True
    )
    pairs = list(zip(firsts, seconds, strict=True))
    made = encoder(paddle_vocab, max_length).encode(firsts, seconds)
    assert rows(made) == fast_rows(paddle_vocab, pairs, max_length)
    # PaddleNLP cuts as the slow tokenizer does.
    vocabulary = load_vocabulary(paddle_vocab, TokenRules(splits_symbols=True))
    paddle = TextEncoder(vocabulary, max_length=max_length, lower_case=True)
    slow = original.as_in_version_5
    expected = [slow(*pair, max_length=max_length, truncation=True).input_ids for pair in pairs]
    assert [ids for ids, _ in rows(paddle.encode(firsts, seconds))] == expected


def fast_rows(
    vocab: Path, pairs: Sequence[tuple[str, str]], max_length: int
) -> list[tuple[list[int], list[int]]]:
    lines = vocab.read_text(encoding="utf-8").splitlines()
    tokenizer = BertTokenizer(vocab={line: number for number, line in enumerate(lines)})
    made = tokenizer([list(pair) for pair in pairs], truncation=True, max_length=max_length)
    return list(zip(made.input_ids, made.token_type_ids, strict=True))


def test_the_rows_of_a_batch_are_those_of_its_texts_alone(paddle_vocab: Path) -> None:
    tokenizer = encoder(paddle_vocab, 16)
    assert rows(tokenizer.encode(TEXTS)) == [rows(tokenizer.encode([text]))[0] for text in TEXTS]


def test_a_lone_surrogate_is_dropped_as_controls_are(paddle_vocab: Path) -> None:
    tokenizer = encoder(paddle_vocab)
    made, wanted = tokenizer.encode(["北\ud800京", "好"]), tokenizer.encode(["北京", "好"])
    assert rows(made) == rows(wanted)


def test_arrays_have_the_types_that_the_engine_takes(paddle_vocab: Path) -> None:
    made = encoder(paddle_vocab).encode(["北京", ""], ["a", "b"])
    assert made.input_ids.dtype == made.token_type_ids.dtype == made.lengths.dtype == np.int32
    assert made.truncated.dtype == np.bool_
    assert made.lengths.tolist() == [6, 4]
    assert made.input_ids.shape == made.token_type_ids.shape == (10,)


def test_no_texts_make_no_rows(paddle_vocab: Path) -> None:
    made = encoder(paddle_vocab).encode([])
    assert made.input_ids.shape == made.lengths.shape == made.truncated.shape == (0,)


def test_first_and_second_texts_of_unequal_count_are_refused(paddle_vocab: Path) -> None:
    with pytest.raises(ValueError, match="shorter"):
        encoder(paddle_vocab).encode(["a", "b"], ["c"])


def test_a_final_sigma_folds_as_models_saw_it_in_training(original: OriginalTokenizer) -> None:
    assert basic_words("ΟΔΟΣ", lower_case=True) == ["οδοσ"]
    # What transformers 5 changed: it folds whole words.
    assert original.as_in_version_5.basic_tokenizer.tokenize("ΟΔΟΣ") == ["οδος"]


def test_a_special_token_broken_by_a_control_character_is_text(paddle_vocab: Path) -> None:
    # As in PaddleNLP and the fast tokenizers; the original makes a special token of it again.
    assert basic_words("[MA\x00SK]", lower_case=False) == ["[", "MASK", "]"]
    original = OriginalTokenizer(paddle_vocab, lower_case=False).as_in_version_5
    assert original.tokenize("[MA\x00SK]") == ["[MASK]"]


def test_a_vocabulary_without_a_mask_reads_its_spelling_as_text(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[\n]\nmask\n", encoding="utf-8")
    assert encoder(path).encode(["[MASK][SEP]"]).input_ids.tolist() == [2, 4, 6, 5, 3, 3]
