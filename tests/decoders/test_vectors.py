"""Vectors have length 1 where the build says so, and are the engine's own otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ernie_triton.decoders.vectors import VectorDecoder, VectorSettings, normalized

Float32 = npt.NDArray[np.float32]

vectors = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.floats(-1e3, 1e3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3),
)


@given(rows=vectors)
def test_vectors_get_length_1_as_in_pytorch_and_zero_stays(rows: Float32) -> None:
    made = normalized(rows)
    assert made.dtype == np.float32
    expected = torch.nn.functional.normalize(torch.from_numpy(rows.astype(np.float64)), dim=-1)
    np.testing.assert_allclose(made, expected.numpy(), atol=1e-6)
    lengths = np.linalg.norm(made.astype(np.float64), axis=-1)
    np.testing.assert_allclose(lengths, rows.any(axis=-1), atol=1e-6)


@pytest.mark.parametrize("normalize", [True, False])
def test_requests_of_one_batch_get_their_own_vectors(normalize: bool) -> None:
    settings = VectorSettings(task="embedding", normalize=normalize)
    made = VectorDecoder(settings.to_parameters(), ())
    requests = [[[3.0, 4.0]], [[0.0, 0.0], [-6.0, 8.0]]]
    items = [made.read({"vector": np.array(rows, np.float32)}) for rows in requests]
    first, second = (answer["embedding"] for answer in made.run(items))
    if normalize:
        np.testing.assert_allclose(first, [[0.6, 0.8]], rtol=1e-6)
        np.testing.assert_allclose(second, [[0.0, 0.0], [-0.6, 0.8]], rtol=1e-6)
    else:
        assert first.tolist() == requests[0]
        assert second.tolist() == requests[1]
