"""Labels come in three kinds of files."""

from pathlib import Path

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets.label_names import label_file, read_label_names
from tests.training.datasets.folders import write


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ('{"label": "100", "label_desc": "news_story"}\n{"label": "101"}\n', ("news_story", "101")),
        ('{"label": 0, "label_des": "打车"}\n', ("打车",)),
        ('["财经", "体育"]\n', ("财经", "体育")),
        ("O\nB-PER\nI-PER\n\n", ("O", "B-PER", "I-PER")),
    ],
)
def test_labels_are_read_in_the_order_of_their_ids(
    tmp_path: Path, content: str, names: tuple[str, ...]
) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content, encoding="utf-8")
    assert read_label_names(path).names == names


def test_a_label_goes_by_its_name_and_by_its_number(tmp_path: Path) -> None:
    write(
        tmp_path, labels=[{"label": "100", "label_desc": "a"}, {"label": "101", "label_desc": "b"}]
    )
    assert read_label_names(tmp_path / "labels.json").ids == {"a": 0, "100": 0, "b": 1, "101": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"label": "1"}\n{"label": "1"}\n', ":2: the label '1' is listed twice"),
        ('{"label": "1", "label_desc": "a"}\n{"label": "a"}\n', ":2: the label 'a' is listed"),
        ("a\nb\na\n", ":3: the label 'a' is listed twice"),
        ('["a", "a"]', ":1: the label 'a' is listed twice"),
        ("[1]", ":1: a label is not a string"),
        ("[]", ":1: expected a list"),
        (
            '{"label": "1"}\n{"labels": "1"}\n',
            ':2: {"labels": "1"}; expected an object with "label"',
        ),
        ('{"label": "1"}\n{"label"\n', ":2: no JSON"),
        ("", ":1: the file is empty"),
        ("\n\n", ":1: the file is empty"),
        ("a\n\nb\n", ":2: the line is empty"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError) as caught:
        read_label_names(path)
    assert f"{path}{message}" in str(caught.value)


def test_a_list_of_json_is_taken_before_one_of_text(tmp_path: Path) -> None:
    assert label_file(tmp_path) is None
    write(tmp_path, labels__txt="a\n")
    assert label_file(tmp_path) == tmp_path / "labels.txt"
    write(tmp_path, labels__json="b\n")
    assert label_file(tmp_path) == tmp_path / "labels.json"
