"""What is told of data before a training."""

import dataclasses
from pathlib import Path

from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from ernie_triton.training.datasets import DataSet, LabelledText
from ernie_triton.training.finetune.remarks import remarks
from samples.paths import SAMPLE_VOCABULARY

ENCODER = TextEncoder(load_vocabulary(SAMPLE_VOCABULARY), max_length=8, lower_case=True)


def lines(*texts_and_labels: tuple[str, int]) -> tuple[LabelledText, ...]:
    return tuple(
        LabelledText(texts=(text,), target=label, line=number)
        for number, (text, label) in enumerate(texts_and_labels, 1)
    )


QUIET = DataSet(
    name="single",
    task="seq_cls",
    pair=False,
    labels=("好", "坏"),
    train=lines(("很好", 0), ("很坏", 1)),
    dev=lines(("好", 0), ("坏", 1)),
    train_path=Path("train.json"),
    dev_path=Path("dev.json"),
)


def test_good_data_need_no_remark() -> None:
    assert remarks(QUIET, ENCODER) == []


def test_labels_that_a_split_lacks_and_rare_ones_are_named() -> None:
    data = dataclasses.replace(
        QUIET,
        labels=("好", "坏", "怪"),
        train=lines(*[(f"好{number}", 0) for number in range(30)], ("坏", 1)),
        dev=lines(("好", 0)),
    )
    assert remarks(data, ENCODER) == [
        "train.json: no line has 怪, so no model learns it",
        "dev.json: no line has 坏, so the metric says nothing of it",
        "train.json: rare labels: 坏 (1); the commonest has 30 lines",
    ]


def test_cut_texts_and_unknown_characters_are_counted() -> None:
    data = dataclasses.replace(QUIET, train=lines(("一二三四五六七", 0), ("镕好", 1)))
    assert remarks(data, ENCODER) == [
        "train.json: 1 of the first 2 texts are longer than the model reads and are cut; "
        "--max-seq-length allows more",
        "train.json: 11.1% of the tokens are unknown to the vocabulary, such as 镕; a base that "
        "knows them reads more",
    ]


def test_the_labels_of_characters_are_counted_by_name() -> None:
    tagged = (LabelledText(texts=("北京",), target=("B-LOC", "I-LOC"), line=1),)
    names = ("O", "B-LOC", "I-LOC")
    data = dataclasses.replace(QUIET, task="token_cls", labels=names, train=tagged, dev=tagged)
    assert remarks(data, ENCODER) == ["train.json: no line has O, so no model learns it"]
