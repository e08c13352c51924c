import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from samples.generators.msra_ner import ENTITY_LABELS
from tests.reference_metrics import LabelledSpan, entities_of

DATA = Path(__file__).parents[3] / "samples" / "data" / "msra_ner"


def texts_and_entities(split: str) -> list[tuple[str, list[LabelledSpan]]]:
    lines = (DATA / f"{split}.json").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return [("".join(record["tokens"]), entities_of(record["labels"])) for record in records]


def cut(text: str, entity: LabelledSpan) -> str:
    _, first, last = entity
    return text[first : last + 1]


@pytest.mark.parametrize("split", ["train", "dev"])
def test_every_character_is_a_token_with_a_label(split: str) -> None:
    seen = set()
    for line in (DATA / f"{split}.json").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        assert list(record) == ["tokens", "labels"]
        assert all(len(token) == 1 for token in record["tokens"])
        assert len(record["tokens"]) == len(record["labels"])
        seen |= set(record["labels"])
        for before, label in pairwise(["O", *record["labels"]]):
            assert label[0] != "I" or before[2:] == label[2:]
    assert seen == set(ENTITY_LABELS)


# The WordPiece tokenizer gives one decision a word, so an entity may not begin or end inside one.
def test_entities_end_where_words_end() -> None:
    for split in ("train", "dev"):
        for text, entities in texts_and_entities(split):
            for _, first, last in entities:
                assert not re.fullmatch(
                    r"[a-zA-Z0-9ａ-ｚＡ-Ｚ０-９]{2}", text[first - 1 : first + 1]
                )
                assert not re.fullmatch(r"[a-zA-Z0-9ａ-ｚＡ-Ｚ０-９]{2}", text[last : last + 2])


def test_adjacent_entities_and_entities_at_the_end_occur() -> None:
    adjacent = at_end = without = 0
    for text, entities in texts_and_entities("train"):
        places = [(first, last) for _, first, last in entities]
        adjacent += any(a[1] + 1 == b[0] for a, b in pairwise(places))
        at_end += bool(places) and places[-1][1] == len(text) - 1
        without += not places
    assert min(adjacent, at_end, without) > 50


@pytest.mark.parametrize("pattern", ["[A-Za-z]", "[0-9]", "[０-９Ａ-Ｚａ-ｚ]", " ", "·"])
def test_entities_hold_what_real_names_hold(pattern: str) -> None:
    lines = texts_and_entities("train")
    names = [cut(text, entity) for text, entities in lines for entity in entities]
    assert sum(bool(re.search(pattern, name)) for name in names) >= 5


# A word alone does not tell: cities stand in organisations too, and some words are names at times.
def test_a_city_is_a_place_in_one_line_and_part_of_an_organisation_in_another() -> None:
    kinds = {
        kind
        for text, entities in texts_and_entities("train")
        for kind, first, last in entities
        if "北京" in text[first : last + 1]
    }
    assert kinds >= {"LOC", "ORG"}
