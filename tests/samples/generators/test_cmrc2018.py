import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[3] / "samples" / "data" / "cmrc2018"
SPLITS = pytest.mark.parametrize("split", ["train", "dev"])


def content(split: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / f"{split}.json").read_text(encoding="utf-8"))
    return loaded


def questions(split: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (paragraph["context"], qa)
        for article in content(split)["data"]
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


@SPLITS
def test_articles_have_the_keys_of_squad(split: str) -> None:
    whole = content(split)
    assert list(whole) == ["version", "data"]
    for article in whole["data"]:
        assert list(article) == ["id", "title", "paragraphs"]
        for paragraph in article["paragraphs"]:
            assert list(paragraph) == ["id", "context", "qas"]
    ids = [qa["id"] for _, qa in questions(split)]
    assert len(set(ids)) == len(ids)


@SPLITS
def test_every_answer_stands_at_its_place(split: str) -> None:
    for context, qa in questions(split):
        assert qa["is_impossible"] == (not qa["answers"])
        for answer in qa["answers"]:
            start = answer["answer_start"]
            assert answer["text"]
            assert context[start : start + len(answer["text"])] == answer["text"]


@SPLITS
def test_a_tenth_of_the_questions_and_more_has_no_answer(split: str) -> None:
    without = sum(qa["is_impossible"] for _, qa in questions(split))
    assert 0.1 < without / len(questions(split)) < 0.3


def test_contexts_have_50_to_400_characters() -> None:
    lengths = sorted(len(context) for context, _ in questions("train"))
    assert lengths[0] >= 50
    assert lengths[-1] <= 400
    assert lengths[len(lengths) // 10] < 110
    assert lengths[-len(lengths) // 10] > 180


# The question must be read: what it asks decides which of a context's facts is the answer.
def test_contexts_are_asked_several_questions_with_different_answers() -> None:
    answers: dict[str, set[int]] = {}
    for context, qa in questions("train"):
        answers.setdefault(context, set()).update(a["answer_start"] for a in qa["answers"])
    assert sum(len(starts) >= 3 for starts in answers.values()) > 0.5 * len(answers)
