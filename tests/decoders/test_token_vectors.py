"""Token vectors: those of real tokens, at length 1, without the first token where it has none."""

import numpy as np
import pytest

from ernie_triton.decoders.token_vectors import TokenVectorDecoder


def decoder(*, normalize: bool, skipped: int) -> TokenVectorDecoder:
    parameters = {"task": "colbert", "normalize": str(normalize).lower(), "skipped": str(skipped)}
    return TokenVectorDecoder(parameters, ())


def test_each_text_has_the_vectors_of_its_own_tokens() -> None:
    vectors = np.array(
        [[[9, 9], [3, 4], [0, 2], [7, 7]], [[9, 9], [5, 12], [8, 8], [7, 7]]], np.float32
    )
    asked = {"token_vectors": vectors, "row_tokens": np.array([[3], [2]], np.int32)}
    without_first = decoder(normalize=True, skipped=1)
    [found] = without_first.run([without_first.read(asked)])
    expected = [[[0.6, 0.8], [0, 1]], [[5 / 13, 12 / 13], [0, 0]]]
    assert found["vectors"] == pytest.approx(np.array(expected))
    assert found["vectors"].dtype == np.float32
    assert found["count"].dtype == np.int32
    assert found["count"].tolist() == [[2], [1]]
    with_all = decoder(normalize=False, skipped=0)
    [raw] = with_all.run([with_all.read(asked)])
    assert raw["vectors"].tolist() == [[[9, 9], [3, 4], [0, 2]], [[9, 9], [5, 12], [0, 0]]]
    assert raw["count"].tolist() == [[3], [2]]


def test_a_zero_vector_stays_zero() -> None:
    one = decoder(normalize=True, skipped=0)
    asked = {"token_vectors": np.zeros((1, 2, 3), np.float32), "row_tokens": np.array([[2]])}
    [found] = one.run([one.read(asked)])
    assert not found["vectors"].any()
