"""Batches of random texts through the table, on the way of `random_texts`; a million by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.tokenizer.random_texts import Comparison, in_batches, random_texts
from tests.tokenizer.unicode_texts import CASES

TEXTS = 1_500


@CASES
def test_batches_of_random_texts_have_the_tokens_of_each_text_alone(
    lower_case: bool, paddle_vocab: Path
) -> None:
    # The small vocabulary: most characters are unknown to it, and many words are of pieces.
    comparison = Comparison(paddle_vocab, lower_case=lower_case)
    texts = random_texts(3, load_vocabulary(paddle_vocab))
    for batch in in_batches(texts, TEXTS):
        assert list(comparison.differences(batch)) == []


@CASES
def test_a_rich_vocabulary_hides_no_difference_in_unknown_tokens(
    lower_case: bool, rich_vocab: Path
) -> None:
    comparison = Comparison(rich_vocab, lower_case=lower_case)
    texts = random_texts(4, load_vocabulary(rich_vocab))
    for batch in in_batches(texts, TEXTS):
        assert list(comparison.differences(batch)) == []


def test_a_difference_is_found_and_said(
    paddle_vocab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = Comparison(paddle_vocab, lower_case=True)
    monkeypatch.setattr(
        "tests.tokenizer.random_texts.FallbackTokenizer.token_ids",
        lambda _, texts: [[7] for _ in texts],
    )
    found = list(comparison.differences(["北"]))
    assert [(one.text, one.expected[1:-1]) for one in found] == [("北", [7]), ("北", [7])]


def test_so_many_texts_come_in_batches_of_all_sizes() -> None:
    batches = list(in_batches(iter(map(str, range(1000))), 100))
    assert [len(batch) for batch in batches] == [1, 2, 3, 8, 64, 1, 2, 3, 8, 8]
    assert [text for batch in batches for text in batch] == [str(n) for n in range(100)]
