"""Texts that are sent: their numbers of tokens are counted by the real tokenizer."""

import statistics
from pathlib import Path

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.perf.analyzer.text_spec import TextKind, TextSpec
from ernie_triton.perf.analyzer.texts import (
    LONG,
    TITLES,
    TextRow,
    rows_of_kind,
    rows_of_kinds,
    text_rows,
)
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.paths import ROOT


def encoder(*, lower_case: bool = True) -> TextEncoder:
    """The samples' vocabulary knows few characters: unknown ones must count as well."""
    vocabulary = load_vocabulary(ROOT / "samples" / "data" / "vocab.txt")
    return TextEncoder(vocabulary, max_length=512, lower_case=lower_case)


def token_counts(rows: list[TextRow]) -> list[int]:
    columns = [list(column) for column in zip(*rows, strict=True)]
    counts: list[int] = encoder().encode(*columns).lengths.tolist()
    return counts


@pytest.mark.parametrize("tokens", [3, 8, 24, 128, 510])
def test_a_text_of_fixed_length_has_exactly_as_many_tokens(tokens: int) -> None:
    kind = TextKind(name="fixed", tokens=tokens)
    rows = text_rows(TextSpec(kinds=(kind,), entries=200), [kind], ["text"])
    assert set(token_counts(rows)) == {tokens}
    assert len(set(rows)) > 150


def test_case_makes_no_difference_to_the_count() -> None:
    rows = text_rows(TextSpec(kinds=(LONG,), entries=50), [LONG], ["text"])
    counted = encoder(lower_case=False).encode([text for (text,) in rows]).lengths
    assert set(counted.tolist()) == {128}


def test_normal_lengths_have_the_mean_the_deviation_and_the_bounds() -> None:
    counts = token_counts(text_rows(TextSpec(kinds=(TITLES,), entries=2000), [TITLES], ["text"]))
    # Four standard errors of 2000 draws; the bounds cut next to nothing.
    assert abs(statistics.mean(counts) - 24) < 4 * 7 / 2000**0.5
    assert abs(statistics.stdev(counts) - 7) < 4 * 7 / 4000**0.5
    assert min(counts) >= 8
    assert max(counts) <= 60


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_row_of_two_texts_has_the_length_of_both(share: float) -> None:
    kind = TextKind(name="pairs", tokens=43)
    spec = TextSpec(kinds=(kind,), entries=50, first_share=share)
    rows = text_rows(spec, [kind], ["question", "context"])
    assert set(token_counts(rows)) == {43}
    assert {len(first) for first, _ in rows} == {round(40 * share)}


def test_kinds_are_mixed_by_their_shares() -> None:
    kinds = (
        TextKind(name="short", share=0.95, tokens=10),
        TextKind(name="long", share=0.05, tokens=128),
    )
    rows = text_rows(TextSpec(kinds=kinds, entries=400), kinds, ["text"])
    counts = token_counts(rows)
    assert (counts.count(10), counts.count(128)) == (380, 20)
    assert 128 in counts[:200]


def test_a_kind_has_the_same_texts_alone_and_beside_others() -> None:
    spec = TextSpec(kinds=(TITLES, LONG), entries=20)
    alone = text_rows(spec, [LONG], ["text"])
    assert alone == text_rows(spec, [LONG], ["text"])
    assert len(set(alone) & set(text_rows(spec, (TITLES, LONG), ["text"]))) == 10
    assert alone != text_rows(TextSpec(kinds=(LONG,), entries=20, seed=2), [LONG], ["text"])


def test_a_file_gives_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("一\t二\n三\t四\n", encoding="utf-8")
    spec = TextSpec(file=path)
    assert text_rows(spec, (), ["text", "text_pair"]) == [("一", "二"), ("三", "四")]


@pytest.mark.parametrize(
    ("content", "message"), [("一\n", r"line 1: 1 text\(s\)"), ("", "has no lines")]
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "texts.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        text_rows(TextSpec(file=path), (), ["text", "text_pair"])


def test_texts_have_as_many_characters_as_tokens_less_the_special_ones() -> None:
    assert {len(text) for (text,) in rows_of_kind(LONG)} == {126}
    mixed = [len(text) for (text,) in rows_of_kinds((TITLES, LONG), 0.05)]
    assert mixed.count(126) / len(mixed) == pytest.approx(0.05, abs=0.01)


def test_every_row_of_extraction_asks_the_same_schema() -> None:
    spec = TextSpec(kinds=(TITLES,), entries=20, schema='["人物"]')
    rows = text_rows(spec, spec.kinds, ("text", "schema"))
    assert {schema for _, schema in rows} == {'["人物"]'}
    assert {len(text) for text, _ in rows} <= set(range(TITLES.shortest - 2, TITLES.longest - 1))


def test_every_text_of_cloze_has_one_mask_and_its_length() -> None:
    kind = TextKind(name="fixed", tokens=24)
    rows = text_rows(TextSpec(kinds=(kind,), entries=20, mask="[MASK]"), [kind], ["text", "asked"])
    assert {(text.count("[MASK]"), asked) for text, asked in rows} == {(1, "")}
    assert set(token_counts([row[:1] for row in rows])) == {24}
