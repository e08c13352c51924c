"""Rows are cut as told, and each request gets its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from ernie_triton.tokenizer.rules import TokenRules
from ernie_triton.tokenizer.token_rows import (
    LengthBuckets,
    TokenizedRows,
    several_rows,
    single_rows,
)

CLASSIFY, SEPARATE, PAD = 1, 2, 0
FILLER = 9


def ids_of(
    texts: list[list[int]], texts_per_row: int
) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    ids: list[int] = []
    for place, text in enumerate(texts):
        ids += [*([CLASSIFY] if place % texts_per_row == 0 else []), *text, SEPARATE]
    return np.array(ids, np.int32)


def counts_of(texts: list[list[int]]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array([len(text) for text in texts], np.int32)


def numbered(counts: list[int]) -> list[list[int]]:
    """Texts of so many tokens, no two the same."""
    ends = np.cumsum(counts).tolist()
    return [list(range(10 + end - n, 10 + end)) for end, n in zip(ends, counts, strict=True)]


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=5), max_length=st.integers(2, 8))
def test_single_rows_keep_the_beginning_of_each_text(counts: list[int], max_length: int) -> None:
    texts = numbered(counts)
    made = single_rows(ids_of(texts, 1), counts_of(texts), max_length)
    expected = [[CLASSIFY, *text[: max_length - 2], SEPARATE] for text in texts]
    assert made.input_ids.tolist() == [token for row in expected for token in row]
    assert made.lengths.tolist() == [len(row) for row in expected]
    assert made.truncated.tolist() == [count > max_length - 2 for count in counts]
    assert not made.token_type_ids.any()


@given(
    each=st.integers(2, 3),
    rows=st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=5),
    max_length=st.integers(4, 14),
)
def test_rows_of_several_texts_lose_tokens_of_the_longest_one_by_one(
    each: int, rows: list[tuple[int, ...]], max_length: int
) -> None:
    texts = numbered([count for row in rows for count in row[:each]])
    rules = TokenRules(splits_symbols=True)
    made = several_rows(ids_of(texts, each), counts_of(texts), max_length, each, rules)
    ids, types, lengths, truncated = [], [], [], []
    for place in range(0, len(texts), each):
        kept = [text.copy() for text in texts[place : place + each]]
        truncated.append(sum(map(len, kept)) > max_length - 1 - each)
        while sum(map(len, kept)) > max_length - 1 - each:
            # PaddleNLP cuts the first of three equals, and the second of two.
            order = kept if each == 3 else kept[::-1]
            max(order, key=len).pop()
        row = [CLASSIFY, *(one for text in kept for one in (*text, SEPARATE))]
        ids += row
        types += [0] * (len(kept[0]) + 2) + [1] * (len(row) - len(kept[0]) - 2)
        lengths.append(len(row))
    assert made.input_ids.tolist() == ids
    assert made.token_type_ids.tolist() == types
    assert made.lengths.tolist() == lengths
    assert made.truncated.tolist() == truncated


@given(counts=st.tuples(st.integers(0, 20), st.integers(0, 20)), max_length=st.integers(4, 24))
def test_pairs_of_transformers_are_cut_as_its_fast_tokenizers_cut_them(
    counts: tuple[int, int], max_length: int
) -> None:
    tokenizer = Tokenizer(WordLevel({str(n): n for n in range(90)}, unk_token="0"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.enable_truncation(max_length - 3)
    texts = numbered(list(counts))
    first, second = (" ".join(map(str, text)) for text in texts)
    theirs = tokenizer.encode(first, second).ids
    made = several_rows(ids_of(texts, 2), counts_of(texts), max_length, 2).input_ids.tolist()
    assert [one for one in made if one not in (CLASSIFY, SEPARATE)] == theirs


@pytest.fixture
def rows() -> TokenizedRows:
    texts = numbered([1, 3, 0, 2])
    made = several_rows(ids_of([*texts, *texts], 2), counts_of([*texts, *texts]), 6, 2)
    assert made.lengths.tolist() == [6, 5, 6, 5]
    return made


def test_requests_of_one_row_get_views_of_their_own(rows: TokenizedRows) -> None:
    made = rows.by_request([1, 1, 1, 1], PAD)
    assert [tensors["input_ids"].shape for tensors in made] == [(1, 6), (1, 5), (1, 6), (1, 5)]
    assert np.concatenate([tensors["input_ids"][0] for tensors in made]).tolist() == (
        rows.input_ids.tolist()
    )
    assert np.concatenate([tensors["token_type_ids"][0] for tensors in made]).tolist() == (
        rows.token_type_ids.tolist()
    )
    assert [tensors["truncated"].tolist() for tensors in made] == [
        [[True]],
        [[False]],
        [[True]],
        [[False]],
    ]
    for tensors in made:
        assert np.shares_memory(tensors["input_ids"], rows.input_ids)
        assert all(value.flags.c_contiguous for value in tensors.values())


def test_requests_of_several_rows_are_padded_to_their_own_longest(rows: TokenizedRows) -> None:
    made = rows.by_request([1, 2, 1], 99)
    assert [tensors["input_ids"].shape for tensors in made] == [(1, 6), (2, 6), (1, 5)]
    assert made[1]["input_ids"][0].tolist() == [*rows.input_ids[6:11].tolist(), 99]
    assert made[1]["input_ids"][1].tolist() == rows.input_ids[11:17].tolist()
    assert made[1]["token_type_ids"][0].tolist() == [*rows.token_type_ids[6:11].tolist(), 0]
    assert made[1]["truncated"].tolist() == [[False], [True]]
    assert made[2]["input_ids"][0].tolist() == rows.input_ids[17:].tolist()


def request_of(rows: int, length: int) -> dict[str, npt.NDArray[Any]]:
    ids = np.arange(100, 100 + rows * length, dtype=np.int32).reshape(rows, length)
    return {
        "input_ids": ids,
        "token_type_ids": ids % 2,
        "truncated": np.zeros((rows, 1), np.bool_),
    }


@pytest.mark.parametrize(
    ("length", "bucket", "max_length", "expected"),
    [
        (2, 8, 128, 8),
        (8, 8, 128, 8),
        (9, 8, 128, 16),
        (121, 8, 128, 128),
        (121, 8, 125, 125),  # no more than the model has positions for
        (125, 8, 125, 125),
        (2, 8, 6, 6),
        (7, 1, 128, 7),
    ],
)
def test_lengths_are_rounded_up_within_the_longest(
    length: int, bucket: int, max_length: int, expected: int
) -> None:
    buckets = LengthBuckets(bucket=bucket, max_length=max_length, pad_token_id=FILLER)
    request = request_of(3, length)
    padded = buckets.padded(request)
    assert list(padded) == list(request)
    for name, filler in (("input_ids", FILLER), ("token_type_ids", 0)):
        assert padded[name].shape == (3, expected)
        assert padded[name].dtype == np.int32
        assert padded[name].flags.c_contiguous
        np.testing.assert_array_equal(padded[name][:, :length], request[name])
        assert (padded[name][:, length:] == filler).all()
    assert padded["truncated"] is request["truncated"]


def test_tokens_without_types_are_padded_without_them() -> None:
    request = request_of(2, 5)
    del request["token_type_ids"]
    padded = LengthBuckets(bucket=8, max_length=128, pad_token_id=FILLER).padded(request)
    assert list(padded) == list(request)
    np.testing.assert_array_equal(padded["input_ids"][:, :5], request["input_ids"])
    assert (padded["input_ids"][:, 5:] == FILLER).all()
