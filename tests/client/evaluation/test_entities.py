"""Entity scores: gold characters of joined tokens, and what is refused."""

from __future__ import annotations

import pytest

from ernie_triton.client.evaluation.entities import EntityScorer, items_from_tokens
from ernie_triton.client.items import Item
from ernie_triton.client.token_cls import Entity
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
