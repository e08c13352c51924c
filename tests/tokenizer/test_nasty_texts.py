"""Nasty texts have the original tokenizer's ids by every rule; 200,000 by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tokenizer.nasty_texts import LINES, compared, is_explained, vocabulary_lines

TEXTS = 5_000


def test_nasty_texts_have_the_original_ids_by_every_rule(tmp_path: Path) -> None:
    comparisons = compared(tmp_path, TEXTS, seed=7)
    assert sum(one.found.texts for one in comparisons) == TEXTS
    for one in comparisons:
        assert one.found.texts > 100, one.kind.name
        assert one.found.different == [], one.kind.name


def test_the_vocabulary_has_the_shape_of_a_real_one() -> None:
    lines = vocabulary_lines()
    assert len(lines) == len(set(lines)) == LINES
    assert [lines[place] for place in (0, 1, 100, 101, 102, 103)] == [
        *("[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    ]


@pytest.mark.parametrize(
    ("text", "explained"), [("[MA\x00SK]", True), ("a[MASK]\x00", False), ("[MA SK]", False)]
)
def test_only_a_broken_special_token_is_a_reason(text: str, explained: bool) -> None:
    assert is_explained(text) is explained
