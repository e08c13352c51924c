"""The tokenizers are measured at the same work, and differing ids are no measurement."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.errors import WrongAnswerError
from ernie_triton.perf.tokenizer import measure as tokenizer
from ernie_triton.perf.tokenizer.measure import (
    LibraryTokenizer,
    figures_table,
    measure_tokenizers,
    tokenizer_ratios,
)
from ernie_triton.perf.tokenizer.texts import WORKLOADS, generated_vocabulary
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import Vocabulary
from tests.commands import command

main = command("perf")

KIND_NAMES = ["plain", "mixed", "new words", "long"]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return generated_vocabulary()


@pytest.fixture(autouse=True)
def few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "_TEXTS_PER_TURN", 64)


def test_the_library_makes_the_same_arrays(vocabulary: Vocabulary) -> None:
    texts = ["北京的天", "iPhone12，30%!", "", "好" * 40]
    theirs = LibraryTokenizer(vocabulary, 16).rows(texts)
    ours = TextEncoder(vocabulary, max_length=16, lower_case=True).encode(texts)
    for name in ("input_ids", "token_type_ids", "lengths"):
        assert getattr(theirs, name).dtype == getattr(ours, name).dtype
        assert np.array_equal(getattr(theirs, name), getattr(ours, name))


def test_every_kind_is_measured_at_every_batch_size_on_one_thread(
    vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    rows = LibraryTokenizer.rows

    def noted(self: LibraryTokenizer, texts: list[str]) -> object:
        seen.add(os.environ.get("TOKENIZERS_PARALLELISM"))
        return rows(self, texts)

    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    monkeypatch.setattr(LibraryTokenizer, "rows", noted)
    made = measure_tokenizers(vocabulary, batch_sizes=(1, 8), rounds=2)
    assert [(row.workload.name, row.batch_size) for row in made] == [
        (name, size) for name in KIND_NAMES for size in (1, 8)
    ]
    assert all(figure > 0 for row in made for taken in row.by_subject.values() for figure in taken)
    assert {len(taken) for row in made for taken in row.by_subject.values()} == {2}
    assert seen == {"false"}
    assert "TOKENIZERS_PARALLELISM" not in os.environ
    lines = figures_table(made).splitlines()
    assert len(lines) == 2 + len(made) + 1 + len(WORKLOADS)
    assert {line.count("|") for line in lines[: 2 + len(made)]} == {8}


def test_the_ratios_are_of_batches_of_64_by_kind() -> None:
    ratios = tokenizer_ratios(rounds=2)
    assert list(ratios) == KIND_NAMES
    assert all(0 < one.lowest <= one.median <= one.highest for one in ratios.values())
    assert {one.rounds for one in ratios.values()} == {2}


def test_different_ids_are_refused(vocabulary: Vocabulary) -> None:
    without_a = Vocabulary(
        ids={token: place for token, place in vocabulary.ids.items() if token != "的"},
        size=vocabulary.size,
    )
    ours = TextEncoder(vocabulary, max_length=16, lower_case=True)
    with pytest.raises(WrongAnswerError, match="'你的'"):
        tokenizer._refuse_differences(ours, LibraryTokenizer(without_a, 16), [["你的"]])


def test_the_generated_vocabulary_has_its_size_and_what_texts_are_made_of(
    vocabulary: Vocabulary,
) -> None:
    assert vocabulary.size == len(vocabulary.ids) == 40_000
    assert {"[UNK]", "北", "京", "，", "a", "##a", "9"} <= vocabulary.ids.keys()


def test_the_command_prints_the_table_of_a_vocabulary_of_the_user(
    tmp_path: Path, vocabulary: Vocabulary, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{token}\n" for token in vocabulary.ids), encoding="utf-8")
    assert main(["tokenizer", "--vocab", str(path), "--rounds", "1"]) == 0
    printed = capsys.readouterr()
    assert "| plain | 64 |" in printed.out
    assert "long, batches of 64" in printed.err


def test_no_rounds_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tokenizer", "--rounds", "0"]) == 2
    assert "at least 1 round" in capsys.readouterr().err


def test_a_missing_vocabulary_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tokenizer", "--vocab", "no/vocab.txt"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no/vocab.txt" in line
