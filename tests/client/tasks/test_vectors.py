"""Shorter and quantized vectors, worked by hand and by sentence-transformers' own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from ernie_triton.client.tasks.vectors import (
    VectorForm,
    quantize_vectors,
    shorten_vectors,
    vector_ranges,
)

VECTORS = np.array([[0.6, 0.8, 0.0], [-0.6, 0.0, 0.8], [0.0, 0.0, 1.0]], np.float32)


def test_the_first_features_have_length_1_again() -> None:
    found = shorten_vectors(VECTORS, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.6, 0.8], [-1.0, 0.0], [0.0, 0.0]], atol=1e-7)
    for bad in (0, 4):
        with pytest.raises(ValueError, match=f"dimensions is {bad}; expected 1 to 3"):
            shorten_vectors(VECTORS, bad)


def test_bytes_are_the_256_steps_of_each_features_range() -> None:
    ranges = np.array([[0.0, -1.0, 5.0], [255.0, 1.0, 5.0]], np.float32)
    vectors = np.array([[0.0, -1.0, 5.0], [7.9, 0.0, 9.0], [255.0, 1.5, 1.0]], np.float32)
    # A feature that never changes has steps of 1; what lies beyond a range is its end.
    expected = [[0, 0, 0], [7, 127, 4], [255, 255, 0]]
    assert quantize_vectors(vectors, "uint8", ranges).tolist() == expected
    found = quantize_vectors(vectors, "int8", ranges)
    assert found.dtype == np.int8
    assert found.tolist() == (np.array(expected) - 128).tolist()


def test_ranges_are_the_least_and_the_largest_of_each_feature() -> None:
    expected = np.array([[-0.6, 0.0, 0.0], [0.6, 0.8, 1.0]], np.float32)
    np.testing.assert_array_equal(vector_ranges(VECTORS), expected)


def test_bits_say_which_features_are_above_0() -> None:
    vectors = np.array([[1, -1, 0, 0.5, 2, -3, 0, 1, 1, -1]], np.float32)
    # 1001 1001, then 10 and six zeros.
    assert quantize_vectors(vectors, "ubinary").tolist() == [[0b10011001, 0b10000000]]
    found = quantize_vectors(vectors, "binary")
    assert found.dtype == np.int8
    assert found.tolist() == [[0b10011001 - 128, 0b10000000 - 128]]


def test_ranges_that_are_missing_or_of_other_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"int8 needs ranges of the shape \[2, 3\], found none"):
        quantize_vectors(VECTORS, "int8")
    with pytest.raises(ValueError, match=r"found \[2, 3\]"):
        VectorForm(dimensions=2, precision="int8", ranges=vector_ranges(VECTORS)).of(VECTORS)
    with pytest.raises(ValueError, match="precision is 'int4'; expected one of float32"):
        quantize_vectors(VECTORS, "int4")
