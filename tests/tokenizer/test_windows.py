"""Windows cover a text as told, token by token, and a token says where in the text it stands."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ernie_triton.errors import TextError
from ernie_triton.tasks import NO_SPAN
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import Vocabulary, load_vocabulary
from ernie_triton.tokenizer.windows import Window, WindowEncoder, WindowRules, window_tensors
from tests.tokenizer.original_tokenizer import OriginalTokenizer
from tests.tokenizer.unicode_texts import CASES, SOME, any_text, mixed_text

CHARACTERS = "北京天的好吃"


@pytest.fixture(scope="module")
def vocabulary(paddle_vocab: Path) -> Vocabulary:
    return load_vocabulary(paddle_vocab)


def windows_of(
    vocabulary: Vocabulary,
    *,
    max_length: int = 8,
    overlap: int = 2,
    max_windows: int = 1000,
) -> WindowEncoder:
    encoder = TextEncoder(vocabulary, max_length=max_length, lower_case=True)
    rules = WindowRules(max_length=max_length, overlap=overlap, max_windows=max_windows)
    return WindowEncoder(encoder, rules)


def text_of(tokens: int) -> str:
    """A text of so many tokens, told apart from their neighbours."""
    return "".join(itertools.islice(itertools.cycle(CHARACTERS), tokens))


def own_tokens(window: Window) -> range:
    """Numbers of the text's tokens that a window holds, seen from its spans."""
    count = int((window.spans[:, 0] != NO_SPAN).sum())
    return range(window.first_token, window.first_token + count)


@CASES
@SOME
@given(text=any_text)
def test_tokens_with_spans_are_those_of_encode_in_order_inside_the_text(
    lower_case: bool, text: str, encoders: Mapping[bool, TextEncoder]
) -> None:
    encoder = encoders[lower_case]
    (made,) = encoder.tokens_with_spans([text])
    assert made.ids.tolist() == encoder.encode([text]).input_ids.tolist()[1:-1]
    assert made.ids.dtype == made.spans.dtype == np.int32
    assert made.spans.shape == (len(made.ids), 3)
    firsts, ends, starts = made.spans.T
    assert ((firsts >= 0) & (firsts < ends) & (ends <= len(text))).all()
    assert (np.diff(firsts) >= 0).all()
    assert (np.diff(ends) >= 0).all()
    assert set(starts.tolist()) <= {0, 1}
    assert not len(starts) or starts[0] == 1


@CASES
@SOME
@given(text=mixed_text)
def test_the_characters_of_a_word_are_tokenised_to_its_tokens(
    lower_case: bool,
    text: str,
    encoders: Mapping[bool, TextEncoder],
    originals: Mapping[bool, OriginalTokenizer],
) -> None:
    (made,) = encoders[lower_case].tokens_with_spans([text])
    starts = np.flatnonzero(made.spans[:, 2])
    for start, end in itertools.pairwise([*starts, len(made.ids)]):
        cut = text[made.spans[start, 0] : made.spans[end - 1, 1]]
        assert originals[lower_case].token_ids(cut) == made.ids[start:end].tolist()


def test_every_token_of_a_mixed_text_is_cut_out_of_it(paddle_vocab: Path) -> None:
    encoder = TextEncoder(load_vocabulary(paddle_vocab), max_length=512, lower_case=True)
    texts = ["iPhone12北京，30%", "Cafe\u0301\x00 北\u200b京😀", "[SEP]不\u3000Ａ"]
    cuts = [
        ["iPhone", "1", "2", "北", "京", "，", "30", "%"],
        ["C", "a", "f", "e\u0301", "北", "京", "😀"],
        ["[SEP]", "不", "Ａ"],
    ]
    pieces = [{1, 2}, {1, 2, 3}, set()]
    made = encoder.tokens_with_spans(texts)
    for text, tokens, cut, inner in zip(texts, made, cuts, pieces, strict=True):
        assert [text[first:end] for first, end, _ in tokens.spans] == cut
        assert set(np.flatnonzero(tokens.spans[:, 2] == 0).tolist()) == inner


@settings(deadline=None)
@given(
    tokens=st.integers(0, 60),
    question=st.none() | st.integers(0, 20),
    max_length=st.integers(8, 24),
    overlap=st.integers(0, 24),
)
def test_windows_cover_every_token_and_share_as_told(
    tokens: int, question: int | None, max_length: int, overlap: int, vocabulary: Vocabulary
) -> None:
    text = text_of(tokens)
    encoder = windows_of(vocabulary, max_length=max_length, overlap=overlap)
    asked = None if question is None else "不" * question
    windows = encoder.encode([text], None if asked is None else [asked])
    head = 1 if question is None else 2 + min(question, max_length // 2)
    room = max_length - head - 1
    assert all(len(window.input_ids) <= max_length for window in windows)
    assert all(len(own_tokens(window)) == room for window in windows[:-1])
    assert {token for window in windows for token in own_tokens(window)} == set(range(tokens))
    shared = overlap if overlap < room else room // 2
    for window, following in itertools.pairwise(windows):
        assert own_tokens(window).stop - own_tokens(following).start == shared
        assert own_tokens(following).stop > own_tokens(window).stop
    for window in windows:
        # Each token's span is its character: one token a character here.
        places = window.spans[window.spans[:, 0] != NO_SPAN]
        assert places.tolist() == [[token, token + 1, 1] for token in own_tokens(window)]


def test_a_window_has_the_questions_tokens_and_then_its_part(vocabulary: Vocabulary) -> None:
    ids = vocabulary.ids
    windows = windows_of(vocabulary, max_length=9, overlap=1).encode(["北京天的好"], ["不好也" * 9])
    head = [ids["[CLS]"], *(ids[character] for character in "不好也不"), ids["[SEP]"]]
    parts = ["北京", "京天", "天的", "的好"]
    assert [window.input_ids.tolist() for window in windows] == [
        [*head, *(ids[character] for character in part), ids["[SEP]"]] for part in parts
    ]
    assert [window.token_type_ids.tolist() for window in windows] == [[0] * 6 + [1] * 3] * 4
    assert [window.source for window in windows] == ["北京天的好", "", "", ""]
    assert [window.first_token for window in windows] == [0, 1, 2, 3]
    assert (windows[0].spans[:6] == NO_SPAN).all()
    assert (windows[0].spans[-1] == NO_SPAN).all()


def test_texts_of_one_request_keep_their_questions_and_numbers(vocabulary: Vocabulary) -> None:
    windows = windows_of(vocabulary, max_length=8, overlap=0).encode(
        ["北京天的好吃", "", "北"], ["不", "也", ""]
    )
    assert [(window.item, window.first_token) for window in windows] == [
        *((0, first) for first in (0, 4)),
        (1, 0),
        (2, 0),
    ]
    questions = [window.input_ids[1] for window in windows]
    ids = vocabulary.ids
    assert questions == [ids["不"], ids["不"], ids["也"], ids["[SEP]"]]


def test_an_empty_text_is_one_window_of_two_tokens(vocabulary: Vocabulary) -> None:
    (window,) = windows_of(vocabulary).encode([""])
    assert window.input_ids.tolist() == [vocabulary.ids["[CLS]"], vocabulary.ids["[SEP]"]]
    assert (window.spans == NO_SPAN).all()
    assert window.source == ""


def test_a_text_that_just_fits_is_one_window(vocabulary: Vocabulary) -> None:
    encoder = windows_of(vocabulary, max_length=8, overlap=2)
    assert [len(encoder.encode([text_of(count)])) for count in (6, 7, 10, 11)] == [1, 2, 2, 3]


def test_a_request_of_too_many_windows_is_refused_with_both_numbers(
    vocabulary: Vocabulary,
) -> None:
    encoder = windows_of(vocabulary, max_length=8, overlap=2, max_windows=3)
    assert len(encoder.encode([text_of(10), "北"])) == 3
    message = "the request needs 4 windows of 8 tokens; at most 3 are allowed; send fewer or"
    for texts in ([text_of(10), text_of(7)], [text_of(15)], ["北"] * 4):
        with pytest.raises(TextError, match=message):
            encoder.encode(texts)


def test_a_text_beyond_all_windows_is_refused_unread(
    vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = windows_of(vocabulary, max_length=8, max_windows=3)
    assert len(encoder.encode([" " * 192])) == 1
    monkeypatch.delattr(TextEncoder, "tokens_with_spans")
    with pytest.raises(TextError, match="request has 194 characters of text; expected at most 192"):
        encoder.encode(["北", " " * 193])


def test_tensors_are_padded_to_the_longest_window(vocabulary: Vocabulary) -> None:
    encoder = windows_of(vocabulary, max_length=8, overlap=2)
    windows = encoder.encode([text_of(8), "", "e\u0301"])
    tensors = window_tensors(windows, pad_token_id=77)
    assert {name: (array.dtype.name, array.shape) for name, array in tensors.items()} == {
        "input_ids": ("int32", (4, 8)),
        "token_type_ids": ("int32", (4, 8)),
        "spans": ("int32", (4, 8, 3)),
        "window": ("int32", (4, 2)),
        "source": ("object", (4, 1)),
    }
    assert [len(window.input_ids) for window in windows] == [8, 6, 2, 3]
    assert tensors["window"].tolist() == [[0, 0], [0, 4], [1, 0], [2, 0]]
    assert tensors["source"].tolist() == [[text_of(8).encode()], [b""], [b""], ["e\u0301".encode()]]
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        assert tensors["input_ids"][row].tolist() == [*window.input_ids, *[77] * (8 - length)]
        assert (tensors["spans"][row, :length] == window.spans).all()
        assert (tensors["spans"][row, length:] == NO_SPAN).all()
