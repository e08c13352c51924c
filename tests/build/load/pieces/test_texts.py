"""Texts become the ids of transformers' tokenizer and of SentencePiece, in their own places."""

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.windows import WindowEncoder, WindowRules
from tests.build.load.pieces.folders import MODEL, byte_folder, document_folder, encoder_of
from tests.build.load.pieces.slow_tokenizers import Piece, SlowBytes, SlowSentencePiece

PARTS = (
    *"北京的涮肉，。①Ａ１：！？㍿ﬁ½eux…ｶﾞ™hon \t\n\u3000\u00a0\u200b\u0301\u0308😀",
    *(
        "  ",
        "央行",
        "iPhone",
        "Python 3",
        "<mask>",
        "</s>",
        "<s>",
        "<pad>",
        "<unk>",
        "👨‍👩‍👧",
        "คน",
    ),
)
TEXTS = st.lists(st.sampled_from(PARTS), max_size=25).map("".join)
LENGTHS = (6, 7, 16, 512)


@functools.cache
def both(kind: str) -> tuple[dict[int, TextEncoder], Any]:
    """Our encoders of each length, and transformers' tokenizer of the same files."""
    with tempfile.TemporaryDirectory() as folder:
        make = byte_folder if kind == "bytes" else document_folder
        made = make(Path(folder) / kind)
        return {n: encoder_of(made, n) for n in LENGTHS}, AutoTokenizer.from_pretrained(made)


@pytest.mark.parametrize("kind", ["sentencepiece", "bytes"])
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), others=TEXTS, length=st.sampled_from(LENGTHS))
def test_ids_are_those_of_transformers(
    kind: str, texts: list[str], others: str, length: int
) -> None:
    encoders, original = both(kind)
    rows = encoders[length].encode(texts)
    how = {"truncation": True, "max_length": length}
    expected = original(texts, **how).input_ids
    assert rows.input_ids.tolist() == [number for row in expected for number in row]
    assert rows.lengths.tolist() == [len(row) for row in expected]
    pairs = encoders[length].encode(texts, [others] * len(texts))
    expected = original(texts, [others] * len(texts), **how).input_ids
    assert pairs.input_ids.tolist() == [number for row in expected for number in row]
    assert not pairs.token_type_ids.any()


@pytest.mark.parametrize("kind", ["sentencepiece", "bytes"])
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_places_are_those_of_transformers_without_spaces_before_and_with_marks_behind(
    kind: str, text: str
) -> None:
    encoders, original = both(kind)
    text = text.replace("\u200b", "")  # transformers' places around it are wrong
    [tokens] = encoders[512].tokens_with_spans([text])
    row = original(text, add_special_tokens=False, return_offsets_mapping=True)
    assert tokens.ids.tolist() == row.input_ids
    for (first, end, _), (theirs, last) in zip(
        tokens.spans.tolist(), row.offset_mapping, strict=True
    ):
        found = text[theirs:last]
        assert text[first:last] == found.lstrip()
        assert set(text[last:end]) <= {"\u0301", "\u0308", "\u0e31"}
        assert end == len(text) or text[end] not in "\u0301\u0308"


def test_pieces_are_those_of_sentencepiece_itself(tmp_path: Path) -> None:
    encoder = encoder_of(document_folder(tmp_path))
    rows = json.loads(MODEL.with_name("pieces.json").read_text(encoding="utf-8"))
    for text, pieces in rows:
        expected = [number + 1 if number else 3 for number in pieces]  # fairseq's ids
        assert encoder.encode([text]).input_ids.tolist()[1:-1] == expected, text


def test_each_word_is_decided_once_and_each_ideograph_run_piece_by_piece(tmp_path: Path) -> None:
    text = "北京的 涮肉①，re\u0301sume\u0301 iPhone ㍿x"
    [tokens] = encoder_of(document_folder(tmp_path)).tokens_with_spans([text])
    starts = [text[first:end] for first, end, begins in tokens.spans.tolist() if begins]
    assert starts == ["北", "的", "涮", "肉", "①", "，", "r", "i", "㍿", "x"]


def test_places_are_right_behind_characters_that_the_rules_remove(tmp_path: Path) -> None:
    encoder = encoder_of(document_folder(tmp_path))
    for text in ("\u200b北", "\ufeff\u200b北京", "\u200b㍿\u200b北"):
        [tokens] = encoder.tokens_with_spans([text])
        first, end, _ = tokens.spans[-1].tolist()
        assert text[first:end] == text.lstrip("\u200b\ufeff㍿")
        assert text[tokens.spans[0, 0]] in "北㍿"


@pytest.mark.parametrize("text", ["北京 " * 3000, "北京" * 9000, " " * 9000 + "北京", "a" * 40000])
def test_a_long_text_has_the_leading_tokens_of_the_whole(text: str) -> None:
    encoders, original = both("sentencepiece")
    expected = original(text, truncation=True, max_length=16).input_ids
    assert encoders[16].encode([text]).input_ids.tolist() == expected


def test_windows_hold_the_question_and_their_places(tmp_path: Path) -> None:
    encoder = encoder_of(document_folder(tmp_path))
    rules = WindowRules(max_length=16, overlap=2, max_windows=9)
    context = "北京的涮肉，重庆的火锅，成都的小吃都是极具特色的美食。"
    windows = WindowEncoder(encoder, rules).encode([context], ["涮肉?"])
    assert len(windows) > 1
    [question] = encoder.tokens_with_spans(["涮肉?"])
    head = [0, *question.ids.tolist(), 2, 2]
    found = np.zeros(len(context), bool)
    for window in windows:
        assert window.input_ids.tolist()[: len(head)] == head
        assert not window.token_type_ids.any()
        for first, end, _ in window.spans[window.spans[:, 0] >= 0]:
            found[first:end] = True
    assert found.all()


SENT = st.lists(
    st.one_of(
        st.sampled_from([part for part in PARTS if not part.startswith("<")]),
        st.sampled_from(("漢字", "龍", "㈱", "Ⅷ", "한국어", "Ａ１", "é", "u\u0308", "…。", "🇨🇳")),
    ),
    max_size=20,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(text=SENT)
def test_pieces_and_places_are_those_of_sentencepiece_s_algorithm(text: str) -> None:
    encoders, _ = both("sentencepiece")
    slow = slow_sentencepiece()
    if not slow.joins(text):  # the one documented difference
        return
    assert_same(encoders[512], text, slow.pieces(text))


@settings(max_examples=150, deadline=None)
@given(text=SENT)
def test_pieces_and_places_are_those_of_the_byte_level_algorithm(text: str) -> None:
    encoders, _ = both("bytes")
    assert_same(encoders[512], text, slow_bytes().pieces(text))


@functools.cache
def slow_sentencepiece() -> SlowSentencePiece:
    return SlowSentencePiece()


@functools.cache
def slow_bytes() -> SlowBytes:
    encoders, _ = both("bytes")
    return SlowBytes(encoders[512].vocabulary.document)


def assert_same(encoder: TextEncoder, text: str, pieces: list[Piece]) -> None:
    """The ids are those of the pieces, and so are the places but for spaces and marks.

    A piece that is a space alone is of the character behind it, or of none.
    """
    [tokens] = encoder.tokens_with_spans([text])
    assert tokens.ids.tolist() == [piece.id for piece in pieces]
    for (first, end, _), piece in zip(tokens.spans.tolist(), pieces, strict=True):
        theirs = text[piece.first : piece.end]
        if not theirs.strip():
            continue
        assert first == piece.first + len(theirs) - len(theirs.lstrip())
        assert text[piece.end : end].strip("\u0301\u0308\u0e31") == ""
        assert end >= piece.end
