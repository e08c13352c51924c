"""The hidden states that heads read: of all tokens, or of each text's first token."""

from dataclasses import dataclass

import numpy as np

from ernie_triton.build.load.onnx_graph.norm import find_norm
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.model.heads import Head

SELECTING = frozenset(
    (
        *("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"),
        *("Gather", "GatherND", "Slice", "Split"),
    )
)
"""Operators that only select or move elements."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundHead:
    """A head, and the last hidden state that it reads.

    `pad_ids` are the token ids that the head's own mask leaves out; None where it has no mask.
    """

    head: Head
    hidden: str
    pad_ids: frozenset[int] | None = None


def every_token_state(reading: Reading, name: str) -> str | None:
    """Return the value as a normalised hidden state of all tokens; None if it is none."""
    name = reading.strip(name)
    if find_norm(reading, name) is None:
        return None
    vectors = np.prod(reading.value(name).shape[:-1])
    return name if vectors == reading.batches.texts * reading.batches.tokens else None


def first_token_source(reading: Reading, name: str) -> str | None:
    """Return the normalised hidden state whose first tokens a value is; None if there is none.

    A hidden state of one token per text is its own selection.
    """
    hidden = reading.roots(name, SELECTING, lambda value: find_norm(reading, value) is not None)
    if len(hidden) != 1:
        return None
    shape, texts = reading.value(hidden[0]).shape, reading.batches.texts
    if np.prod(shape[:-1]) % texts:
        return None
    given = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    selected = (
        given
        if reading.strip(name) == hidden[0]
        else reading.batches.plain.value_given(name, {hidden[0]: given})
    )
    expected = given.reshape(texts, -1, shape[-1])[:, 0]
    return hidden[0] if np.array_equal(selected.reshape(-1), expected.reshape(-1)) else None


def is_selection(reading: Reading, name: str) -> bool:
    """Return whether the operator that makes a value only selects or moves elements."""
    return reading.producer(name).op in SELECTING


def selected_from(reading: Reading, name: str) -> list[str]:
    """Find the values that a value is selected from."""
    return reading.roots(name, SELECTING, lambda value: not is_selection(reading, value))
