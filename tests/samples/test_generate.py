import dataclasses
import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from samples.afqmc import AFQMC
from samples.cli import main
from samples.errors import DataError, GrammarError
from samples.grammar import load_grammar
from samples.splits import SplitSizes, make_splits
from samples.tasks import SampleTask
from samples.tnews import NAMES, TNEWS, TitleLine

DATA = Path(__file__).parents[2] / "samples" / "data"
TASKS = [TNEWS, AFQMC]


def read_lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sentences(task: SampleTask, split: str) -> list[str]:
    records = read_lines(DATA / task.name / f"{split}.json")
    return [record[field] for record in records for field in task.text_fields]


# The committed data are what the generator makes today: changing a grammar means saying so.
@pytest.mark.parametrize("task", ["tnews", "afqmc"])
def test_default_seed_reproduces_the_committed_files(task: str, tmp_path: Path) -> None:
    assert main(["generate", task, "--output", str(tmp_path)]) == 0
    for name in ("train.json", "dev.json", "labels.json"):
        assert (tmp_path / name).read_bytes() == (DATA / task / name).read_bytes()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_another_seed_draws_other_lines(task: SampleTask) -> None:
    sizes = SplitSizes(train=40, dev=10)
    assert make_splits(task, sizes, 5) == make_splits(task, sizes, 5)
    assert make_splits(task, sizes, 5) != make_splits(task, sizes, 6)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_no_sentence_stands_in_both_splits(task: SampleTask) -> None:
    assert not set(sentences(task, "train")) & set(sentences(task, "dev"))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_twenty_thousand_lines_can_be_drawn(task: SampleTask) -> None:
    splits = make_splits(task, SplitSizes(train=20_000, dev=500), 1)
    assert len({line.sentences for line in splits.train}) == 20_000


def test_titles_have_the_keys_and_classes_of_tnews() -> None:
    for split in ("train", "dev"):
        records = read_lines(DATA / "tnews" / f"{split}.json")
        assert {record["label"] for record in records} == set(NAMES)
        for record in records:
            assert list(record) == ["label", "label_desc", "sentence", "keywords"]
            assert record["label_desc"] == NAMES[record["label"]]
            assert record["sentence"].strip()


def test_pairs_have_the_keys_and_labels_of_afqmc() -> None:
    for split in ("train", "dev"):
        records = read_lines(DATA / "afqmc" / f"{split}.json")
        assert all(list(record) == ["sentence1", "sentence2", "label"] for record in records)
        counts = Counter(record["label"] for record in records)
        assert set(counts) == {"0", "1"}
        assert min(counts.values()) > 0.4 * len(records)


def test_keywords_occur_in_their_title() -> None:
    for record in read_lines(DATA / "tnews" / "train.json"):
        assert all(word in record["sentence"] for word in record["keywords"].split(",") if word)


# No single word may tell a class: the words of every class turn up in many others.
def test_classes_share_most_of_their_characters() -> None:
    classes: dict[str, set[str]] = {}
    for record in read_lines(DATA / "tnews" / "train.json"):
        for char in set(record["sentence"]):
            classes.setdefault(char, set()).add(record["label"])
    common = [char for char in classes if len(classes[char]) >= 3]
    assert len(classes) > 1500
    assert len(common) > 0.5 * len(classes)


@pytest.mark.parametrize(
    "pattern",
    [r"\d", "[A-Za-z]{2}", "iPhone", "ETF", "5G", "GDP", "[，？！：]", "[０-９]", "[,?!]"],
)
def test_titles_carry_what_real_titles_carry(pattern: str) -> None:
    assert sum(bool(re.search(pattern, text)) for text in sentences(TNEWS, "train")) >= 3


# Without the typo step the same seed gives other lines, so some of the lines do carry typos.
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_some_sentences_have_typos(task: SampleTask, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = SplitSizes(train=300, dev=10)
    soiled = make_splits(task, sizes, 0)
    monkeypatch.setattr(f"samples.{task.name}.misspell", lambda text, _: text)
    assert make_splits(task, sizes, 0) != soiled


def test_data_stay_small() -> None:
    assert sum(path.stat().st_size for path in DATA.rglob("*.json")) < 1_500_000


def test_too_small_a_grammar_is_an_error_and_not_an_endless_loop() -> None:
    line = TitleLine(label="100", sentence="只有一句", keywords="")
    task = dataclasses.replace(TNEWS, make_drawer=lambda: lambda _: line)
    with pytest.raises(DataError, match="only 0 of 2 different lines"):
        make_splits(task, SplitSizes(train=2, dev=1), 0)


def test_an_unknown_slot_is_named(tmp_path: Path) -> None:
    path = tmp_path / "grammar.txt"
    path.write_text("[[lines]]\n{nobody}来了\n", encoding="utf-8")
    with pytest.raises(GrammarError, match="nobody"):
        load_grammar(path)


def test_output_has_no_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["generate", "tnews"])
    assert error.value.code == 2
    assert "--output" in capsys.readouterr().err


def test_training_without_its_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    folders = ["--data", str(DATA / "tnews"), "--output", str(tmp_path)]
    assert main(["train", "tnews", *folders, "--format", "transformers"]) == 1
    assert "pip install -e '.[train]'" in capsys.readouterr().err


def test_bad_sizes_are_one_line_and_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "tnews", "--output", str(tmp_path), "--train", "0"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())
