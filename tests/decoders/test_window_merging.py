"""A text in windows comes together again: each token once, from the window that sees most of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.decoders.window_merging import merge_windows, windows_by_text
from tests.decoders.windowed import Cover, cover, request_of, source_of, span_of

SPECIAL = -7.0
"""The output of a special token; it may not come through."""


@st.composite
def covered_texts(draw: st.DrawFn) -> tuple[int, Cover]:
    tokens, room = draw(st.integers(0, 50)), draw(st.integers(1, 12))
    return tokens, cover(tokens, room, draw(st.integers(0, room - 1)))


def view(token: int, window: tuple[int, int], tokens: int) -> float:
    """Tokens between a token and the nearest edge where the window cuts the text."""
    first, end = window
    before = token - first if first else np.inf
    after = end - 1 - token if end < tokens else np.inf
    return float(min(before, after))


def outputs_of(item: int, first: int, end: int) -> dict[str, npt.NDArray[Any]]:
    """Outputs that name each token: its text, its number, and the window's two ends."""
    own = [(item, token, first, end) for token in range(first, end)]
    special = (SPECIAL,) * 4
    return {"logits": np.array([special, *own, special], np.float32)}


@given(texts=st.lists(covered_texts(), min_size=1, max_size=4))
def test_every_token_comes_once_in_order_from_its_widest_view(
    texts: list[tuple[int, Cover]],
) -> None:
    parts = list(windows_by_text(request_of(texts, outputs_of), ("logits",)))
    assert [source for source, _ in parts] == [source_of(tokens) for tokens, _ in texts]
    for item, ((tokens, windows), (_, parts_of_text)) in enumerate(zip(texts, parts, strict=True)):
        assert [part.first_token for part in parts_of_text] == [first for first, _ in windows]
        values, spans = merge_windows(parts_of_text, "logits")
        assert values[:, :2].tolist() == [[item, token] for token in range(tokens)]
        assert spans.tolist() == [[*span_of(token), 1] for token in range(tokens)]
        for token, (first, end) in enumerate(values[:, 2:].astype(int).tolist()):
            views = [view(token, w, tokens) for w in windows if w[0] <= token < w[1]]
            assert view(token, (first, end), tokens) == max(views)


def test_a_hand_worked_seam_is_in_the_middle_of_what_two_windows_share() -> None:
    request = request_of([(10, [(0, 6), (2, 8), (4, 10)])], outputs_of)
    ((_, windows),) = windows_by_text(request, ("logits",))
    values, _ = merge_windows(windows, "logits")
    # Windows share four tokens: two are taken from each.
    assert values[:, 2].tolist() == [0, 0, 0, 0, 2, 2, 4, 4, 4, 4]


def test_outputs_of_one_number_a_token_are_joined_too() -> None:
    request = request_of([(5, [(0, 3), (2, 5)])], outputs_of)
    request["start_logits"] = request["logits"][..., 1]
    ((_, windows),) = windows_by_text(request, ("start_logits",))
    values, _ = merge_windows(windows, "start_logits")
    assert values.tolist() == [0, 1, 2, 3, 4]
