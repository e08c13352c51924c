"""Lexical weights: the largest weight of each token of a text, in rising order of ids."""

import numpy as np

from ernie_triton.decoders.lexical import LexicalDecoder


def test_each_token_stands_once_with_its_largest_weight() -> None:
    decoder = LexicalDecoder({"task": "sparse"}, ())
    ids = np.array([[-1, 9, 4, 9, 7, -1], [-1, 5, -1, -1, -1, -1]], np.int32)
    weights = np.array([[0.9, 0.2, 0.5, 0.3, 0.0, 0.8], [0.9, 0.1, 0.0, 0, 0, 0]], np.float32)
    one, none = (
        decoder.read({"weighted_ids": i, "weights": w})
        for i, w in (
            (ids, weights),
            (ids[1:, :1], weights[1:, :1]),
        )
    )
    first, second = decoder.run([one, none])
    assert first["indices"].tolist() == [[4, 9], [5, -1]]
    np.testing.assert_array_equal(first["values"], np.array([[0.5, 0.3], [0.1, 0]], np.float32))
    assert first["indices"].dtype == np.int64
    # A text without tokens has an empty place: tensors without columns are not sent.
    assert (second["indices"].tolist(), second["values"].tolist()) == ([[-1]], [[0.0]])
