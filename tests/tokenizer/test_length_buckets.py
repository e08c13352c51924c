"""Rows get padding up to a bucket, and nothing else of a request changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.tokenizer.length_buckets import LengthBuckets

PAD = 9


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
    buckets = LengthBuckets(bucket=bucket, max_length=max_length, pad_token_id=PAD)
    request = request_of(3, length)
    padded = buckets.padded(request)
    assert list(padded) == list(request)
    for name, filler in (("input_ids", PAD), ("token_type_ids", 0)):
        assert padded[name].shape == (3, expected)
        assert padded[name].dtype == np.int32
        assert padded[name].flags.c_contiguous
        np.testing.assert_array_equal(padded[name][:, :length], request[name])
        assert (padded[name][:, length:] == filler).all()
    assert padded["truncated"] is request["truncated"]


def test_tokens_without_types_are_padded_without_them() -> None:
    request = request_of(2, 5)
    del request["token_type_ids"]
    padded = LengthBuckets(bucket=8, max_length=128, pad_token_id=PAD).padded(request)
    assert list(padded) == list(request)
    np.testing.assert_array_equal(padded["input_ids"][:, :5], request["input_ids"])
    assert (padded["input_ids"][:, 5:] == PAD).all()
