"""Requests as the third stage gets them, from windows of known sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ernie_triton.tasks import NO_SPAN

Array = npt.NDArray[Any]
Cover = Sequence[tuple[int, int]]
"""The windows of one text: first token, and the one after the last."""


def cover(tokens: int, room: int, overlap: int) -> list[tuple[int, int]]:
    """Windows of so many tokens that share some with their neighbours."""
    windows = [(0, min(room, tokens))]
    while windows[-1][1] < tokens:
        start = windows[-1][1] - overlap
        windows.append((start, min(start + room, tokens)))
    return windows


def source_of(tokens: int) -> str:
    """A text of so many tokens: each a character, with a space after it."""
    return "".join(f"{chr(0x4E00 + token)} " for token in range(tokens))


def span_of(token: int) -> tuple[int, int]:
    """The characters of a token of `source_of`."""
    return 2 * token, 2 * token + 1


def request_of(
    texts: Sequence[tuple[int, Cover]],
    outputs: Callable[[int, int, int], dict[str, Array]],
    *,
    head: int = 1,
) -> dict[str, Array]:
    """The tensors of one request.

    Args:
        texts: of each its number of tokens and its windows.
        outputs: for a text, a window's first token and end, what the engine gives for each of the
            window's places: `head` special ones before the tokens and one after them.
        head: special tokens, and the question's, before the text's.
    """
    rows = [
        (item, tokens, first, end)
        for item, (tokens, windows) in enumerate(texts)
        for first, end in windows
    ]
    longest = head + max(end - first for *_, first, end in rows) + 3
    spans = np.full((len(rows), longest, 3), NO_SPAN, np.int32)
    padded: dict[str, Array] = {}
    for row, (item, _, first, end) in enumerate(rows):
        for place, token in enumerate(range(first, end), start=head):
            spans[row, place] = (*span_of(token), 1)
        for name, values in outputs(item, first, end).items():
            shape = (len(rows), longest, *values.shape[1:])
            padded.setdefault(name, np.zeros(shape, np.float32))[row, : len(values)] = values
    sources = [source_of(tokens) if not first else "" for _, tokens, first, _ in rows]
    return {
        **padded,
        "spans": spans,
        "window": np.array([(item, first) for item, _, first, _ in rows], np.int32),
        "source": np.array([[source.encode()] for source in sources], np.object_),
    }
