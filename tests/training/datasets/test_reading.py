"""A folder becomes a data set, or an error that names the file."""

from pathlib import Path
from typing import Any

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets import read_dataset
from tests.training.datasets.folders import write

SINGLE = {"sentence": "好", "label": "0"}
MANY = {"sentence": "早报", "labels": ["体育", "财经"]}
SCORED = {"sentence1": "怎么还款", "sentence2": "如何还钱", "score": 0.5}


@pytest.mark.parametrize("missing", ["train", "dev"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    files = {"train": [SINGLE], "dev": [SINGLE]}
    folder = write(tmp_path, **{name: files[name] for name in files if name != missing})
    with pytest.raises(
        DatasetError, match=rf"{tmp_path}: no {missing}\.json or .*--{missing}-file"
    ):
        read_dataset("seq_cls", folder)


def test_a_missing_folder_an_unknown_task_and_format_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        read_dataset("seq_cls", tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="'translation' is not trained"):
        read_dataset("translation", tmp_path)
    with pytest.raises(DatasetError, match="'tnews' is none of qa's; expected one of cmrc2018"):
        read_dataset("qa", tmp_path, dataset="tnews")


@pytest.mark.parametrize("task", ["seq_cls", "multi_label", "regression", "token_cls", "qa"])
def test_an_empty_file_is_named(tmp_path: Path, task: str) -> None:
    with pytest.raises(DatasetError, match=rf"{tmp_path}/train\.json:1: "):
        read_dataset(task, write(tmp_path, train="", dev=""))


def test_text_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write(tmp_path, train=[SINGLE], dev=[SINGLE])
    with (folder / "train.json").open("ab") as file:
        file.write("{'sentence': '好'}\n".encode("gbk"))
    with pytest.raises(DatasetError, match=r"train\.json:2: is not UTF-8"):
        read_dataset("seq_cls", folder)


def test_ocnli_calls_its_training_set_otherwise(tmp_path: Path) -> None:
    folder = write(tmp_path, **{"train__50k__json": [SINGLE], "dev": [SINGLE]})
    assert read_dataset("seq_cls", folder).train_path.name == "train.50k.json"


def test_files_may_be_named(tmp_path: Path) -> None:
    folder = write(tmp_path, a=[SINGLE, SINGLE], b=[SINGLE])
    data = read_dataset(
        "seq_cls", folder, train_file=tmp_path / "a.json", dev_file=tmp_path / "b.json"
    )
    assert (len(data.train), len(data.dev)) == (2, 1)


def test_several_labels_are_ids_of_the_file_or_of_the_training_lines(tmp_path: Path) -> None:
    folder = write(tmp_path, train=[MANY, {**MANY, "labels": []}], dev=[MANY])
    data = read_dataset("multi_label", folder)
    assert ([one.target for one in data.train], data.labels) == ([(0, 1), ()], ("体育", "财经"))
    write(tmp_path, labels__txt="财经\n旅游\n体育\n")
    assert read_dataset("multi_label", folder).train[0].target == (2, 0)


def test_scores_are_numbers_of_single_texts_or_pairs(tmp_path: Path) -> None:
    data = read_dataset("regression", write(tmp_path, train=[SCORED], dev=[SCORED]))
    assert (data.train[0].target, data.pair, data.outputs) == (0.5, True, ("score",))
    single = [{"text": "好", "label": "3"}]
    assert (
        read_dataset("regression", write(tmp_path, train=single, dev=single)).train[0].target == 3
    )


@pytest.mark.parametrize(
    ("task", "good", "line", "message"),
    [
        ("multi_label", MANY, {**MANY, "labels": "体育"}, 'labels is "体育"; expected a list'),
        ("multi_label", MANY, {**MANY, "labels": ["军事"]}, 'unknown label "军事"'),
        ("multi_label", MANY, {**MANY, "labels": ["体育", "体育"]}, "a label occurs twice in 体育"),
        ("multi_label", MANY, {"labels": []}, "the object has labels; expected sentence or"),
        ("multi_label", MANY, {**MANY, "sentence2": "午报"}, "2 text(s); expected 1"),
        ("regression", SCORED, {**SCORED, "score": "高"}, 'score is "高"; expected a number'),
        ("regression", SCORED, {**SCORED, "score": True}, "score is true; expected a number"),
        ("regression", SCORED, {**SCORED, "score": float("nan")}, "score is NaN; expected"),
        ("regression", SCORED, {"text": "好"}, "expected score or label"),
    ],
)
def test_a_broken_line_is_named(
    tmp_path: Path, task: str, good: Any, line: Any, message: str
) -> None:
    folder = write(tmp_path, train=[good], dev=[good, line, good])
    with pytest.raises(DatasetError) as caught:
        read_dataset(task, folder)
    assert f"{tmp_path}/dev.json:2: " in str(caught.value)
    assert message in str(caught.value)
