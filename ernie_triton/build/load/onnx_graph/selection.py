"""The first token's vector of each text, however it is selected from a hidden state."""

import numpy as np

from ernie_triton.build.load.onnx_graph.norm import find_norm
from ernie_triton.build.load.onnx_graph.reading import Reading

SELECTING = frozenset(
    (
        *("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"),
        *("Gather", "GatherND", "Slice", "Split"),
    )
)
"""Operators that only pick or move elements."""


def first_token_source(reading: Reading, name: str) -> str | None:
    """The normalised hidden state whose first tokens a value is; None if it is something else.

    A hidden state of one token per text is its own selection.
    """
    hidden = reading.roots(name, SELECTING, lambda value: find_norm(reading, value) is not None)
    if len(hidden) != 1:
        return None
    shape, texts = reading.value(hidden[0]).shape, reading.probes.texts
    if np.prod(shape[:-1]) % texts:
        return None
    given = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    selected = (
        given
        if reading.strip(name) == hidden[0]
        else reading.probes.plain.value_given(name, {hidden[0]: given})
    )
    expected = given.reshape(texts, -1, shape[-1])[:, 0]
    return hidden[0] if np.array_equal(selected.reshape(-1), expected.reshape(-1)) else None


def is_selection(reading: Reading, name: str) -> bool:
    """Whether a value is made by an operator that only picks or moves elements."""
    return reading.producer(name).op in SELECTING


def selected_from(reading: Reading, name: str) -> list[str]:
    """The values that a value is picked from."""
    return reading.roots(name, SELECTING, lambda value: not is_selection(reading, value))
