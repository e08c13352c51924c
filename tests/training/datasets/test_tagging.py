"""Entities come as JSON lines or in two columns."""

from pathlib import Path
from typing import Any

import pytest

from ernie_triton.client.evaluation.entities import spans_from_labels
from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets import DataSet, read_dataset
from tests.training.datasets.folders import write

LINE = {
    "tokens": ["何", "雨", "在", "Intel", "公", "司"],
    "labels": ["B-PER", "I-PER", "O", "B-ORG", "I-ORG", "I-ORG"],
}
COLUMNS = "何\tB-PER\n雨\tI-PER\n在\tO\n\n海\tB-LOC\n钓\tO\n\n"


def read(folder: Path, **files: Any) -> DataSet:
    return read_dataset("token_cls", write(folder, **files))


def test_every_character_has_the_label_of_its_word(tmp_path: Path) -> None:
    data = read(tmp_path, train=[LINE], dev=[LINE])
    [example] = data.train
    assert example.texts == ("何雨在Intel公司",)
    assert example.target == ("B-PER", "I-PER", "O", "B-ORG", *["I-ORG"] * 6)
    assert data.labels == ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
def test_words_of_several_characters_keep_their_entities(tmp_path: Path, scheme: str) -> None:
    labels = (
        ["B-ORG", "I-ORG", "O", "B-LOC"] if scheme == "BIO" else ["B-ORG", "E-ORG", "O", "S-LOC"]
    )
    tokens = ["中国", "公司", "来", "北京城"]
    kinds = ["O", *(f"{prefix}-{kind}" for kind in ("ORG", "LOC") for prefix in "BIES")]
    data = read(
        tmp_path,
        train=[{"tokens": tokens, "labels": labels}],
        dev=[{"tokens": tokens, "labels": labels}],
        labels__txt="\n".join(kinds),
    )
    assert spans_from_labels(data.train[0].target) == [("ORG", 0, 4), ("LOC", 5, 8)]  # type: ignore[arg-type]


def test_two_columns_are_texts_between_empty_lines(tmp_path: Path) -> None:
    data = read(tmp_path, train__txt=COLUMNS, dev__tsv=COLUMNS.rstrip())
    assert [(one.texts, one.line) for one in data.train] == [(("何雨在",), 1), (("海钓",), 5)]
    assert data.dev[1].target == ("B-LOC", "O")
    assert not data.is_plain


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({**LINE, "labels": ["O"]}, "6 tokens and 1 labels; expected a label for each token"),
        ({**LINE, "tokens": "何"}, 'tokens is "何"; expected a list of strings'),
        ({"tokens": ["何"]}, "the object has tokens; expected labels"),
        ({"tokens": ["何"], "labels": ["B-GPE"]}, 'unknown label "B-GPE"; expected one of O'),
        ({"tokens": [""], "labels": ["O"]}, "a token is empty"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: Any, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, train=[LINE], dev=[LINE, line])
    assert f"dev.json:2: {message}" in str(caught.value)


def test_a_broken_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"train\.txt:3: '在 在 O'; expected a token, a tab"):
        read(tmp_path, train__txt=COLUMNS.replace("在\tO", "在 在 O"), dev=[LINE])
    with pytest.raises(DatasetError, match=r"train\.txt:1: the file is empty"):
        read(tmp_path, train__txt="\n\n", dev=[LINE])
