"""Entities are those of seqeval; their scores equal numbers worked by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.client.evaluation.entities import (
    EntityScorer,
    Span,
    items_from_tokens,
    spans_from_labels,
)
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.token_cls import Entity
from ernie_triton.errors import DatasetError


def test_gold_characters_count_tokens_of_any_length() -> None:
    record: dict[str, object] = {
        "tokens": ["去", "New", "York", "吧"],
        "labels": ["O", "B-LOC", "I-LOC", "O"],
    }
    scorer = EntityScorer()
    entity = Entity(text="NewYork", label="LOC", start=1, end=8, score=1.0)
    scorer.add(Item(line=1, texts=("去NewYork吧",), record=record), (entity,))
    assert scorer.overall.f1 == 1.0


def test_the_text_is_the_tokens_without_spaces() -> None:
    [item] = items_from_tokens([b'{"tokens": ["a", "", "b "], "labels": ["O", "O", "O"]}'])
    assert item.texts == ("ab ",)


@pytest.mark.parametrize(
    "record", ['{"tokens": "ab"}', '{"tokens": [1]}', "{}", '{"labels": ["O"]}']
)
def test_a_line_without_tokens_is_an_error_of_that_line(record: str) -> None:
    first, second = items_from_tokens([record.encode() + b"\n", b'{"tokens": ["a"]}\n'])
    assert "expected tokens" in first.error
    assert second.texts == ("a",)


@pytest.mark.parametrize("labels", [None, ["O"], [0, 0], "OO"])
def test_tokens_without_a_label_each_end_the_evaluation(labels: object) -> None:
    item = Item(line=7, texts=("ab",), record={"tokens": ["a", "b"], "labels": labels})
    with pytest.raises(DatasetError, match="line 7: no label for each token"):
        EntityScorer().add(item, ())


def test_no_lines_score_nothing() -> None:
    overall = EntityScorer().overall
    assert (overall.precision, overall.recall, overall.f1) == (0.0, 0.0, 0.0)


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
