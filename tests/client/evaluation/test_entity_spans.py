"""Entities of labels, against hand-worked rows and the boundaries that seqeval defines."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.client.evaluation.entity_spans import Span, spans_from_labels

LABELS = ["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("LOC", "PER"))]


def spans_by_boundaries(labels: Sequence[str]) -> list[Span]:
    """seqeval's definition: where an entity ends and where one starts, between two labels."""
    spans: list[Span] = []
    start = 0
    before, kind_before = "O", ""
    for at, label in enumerate([*labels, "O"]):
        tag, _, kind = label.partition("-")
        changes = kind != kind_before
        ends = before in ("E", "S") or (before in ("B", "I") and tag in ("B", "S", "O"))
        if ends or (before != "O" and changes):
            spans.append((kind_before, start, at))
        starts = tag in ("B", "S") or (before in ("E", "S", "O") and tag in ("E", "I"))
        if starts or (tag != "O" and changes):
            start = at
        before, kind_before = tag, kind
    return spans


@given(st.lists(st.sampled_from(LABELS), max_size=12))
def test_entities_are_those_between_the_boundaries(labels: list[str]) -> None:
    assert spans_from_labels(labels) == spans_by_boundaries(labels)


@pytest.mark.parametrize(
    ("labels", "spans"),
    [
        ("B-LOC I-LOC O", [("LOC", 0, 2)]),
        ("B-LOC B-LOC", [("LOC", 0, 1), ("LOC", 1, 2)]),
        ("O I-LOC I-LOC", [("LOC", 1, 3)]),
        ("B-LOC I-PER", [("LOC", 0, 1), ("PER", 1, 2)]),
        ("S-LOC B-LOC I-LOC E-LOC", [("LOC", 0, 1), ("LOC", 1, 4)]),
        ("LOC LOC O PER", [("LOC", 0, 2), ("PER", 3, 4)]),
        ("B-A-B I-A-B", [("A-B", 0, 2)]),
        ("O O", []),
        ("", []),
    ],
)
def test_entities_are_those_worked_by_hand(labels: str, spans: list[Span]) -> None:
    assert spans_from_labels(labels.split()) == spans
