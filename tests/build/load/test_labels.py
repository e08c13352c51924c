"""Label names are read from each supported format."""

import json
from pathlib import Path

import pytest

from ernie_triton.build.load.labels import read_label_file
from ernie_triton.errors import LabelCountError

CLUE = """{"label": "100", "label_desc": "news_story"}
{"label": "101", "label_desc": "news_culture"}

{"label": "102", "label_desc": "news_entertainment"}
"""


def labels_in(folder: Path, content: str) -> tuple[str, ...]:
    path = folder / "labels"
    path.write_text(content, encoding="utf-8")
    return read_label_file(path)


def test_a_json_list_is_read(tmp_path: Path) -> None:
    names = ("财经", "体育, 综合", "a b")
    assert labels_in(tmp_path, json.dumps(names)) == names
    assert labels_in(tmp_path, "\n " + json.dumps(names, indent=1, ensure_ascii=False)) == names


def test_a_name_a_line_is_read(tmp_path: Path) -> None:
    assert labels_in(tmp_path, "财经\n  体育 综合 \r\n\n科技") == ("财经", "体育 综合", "科技")


def test_clue_s_lines_give_their_descriptions(tmp_path: Path) -> None:
    expected = ("news_story", "news_culture", "news_entertainment")
    assert labels_in(tmp_path, CLUE) == expected


def test_clue_s_lines_without_descriptions_give_their_labels(tmp_path: Path) -> None:
    assert labels_in(tmp_path, '{"label": "0"}\n{"label": "1", "label_desc": ""}') == ("0", "1")


@pytest.mark.parametrize(
    "content",
    [
        '{"0": "财经", "1": "体育"}',
        '{"1": "体育", "0": "财经"}',
        '{"财经": 0, "体育": 1}',
        '{"体育": "1", "财经": "0"}',
        '{"id2label": {"0": "财经", "1": "体育"}}',
        '{"label2id": {"财经": 0, "体育": 1}}',
        '{"labels": ["财经", "体育"]}',
        '[{"label": "7", "label_desc": "财经"}, {"label": "9", "label_desc": "体育"}]',
        '{"label": 0, "label_des": "财经"}\n{"label": 1, "label_des": "体育"}',
        "0\t财经\n1\t体育",
        "体育\t1\n财经\t0",
        "财经\r体育\r",
        "\ufeff财经\r\n体育\r\n\r\n",
        '\ufeff["财经", "体育"]',
        '\ufeff{"label": "7", "label_desc": "财经"}\r\n{"label": "9", "label_desc": "体育"}\r\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_common_shape_gives_the_names_in_order(
    content: str, encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content.removeprefix("\ufeff").encode(encoding))
    if encoding == "utf-8":
        path.write_bytes(content.encode(encoding))
    assert read_label_file(path) == ("财经", "体育")


def test_numbers_as_names_keep_their_sides(tmp_path: Path) -> None:
    assert labels_in(tmp_path, '{"0": "1", "1": "0"}') == ("1", "0")
    assert labels_in(tmp_path, '{"2": 0, "1": 1}') == ("2", "1")


def test_a_name_in_brackets_is_no_json(tmp_path: Path) -> None:
    assert labels_in(tmp_path, "[CLS]\n[X]\nB-PER") == ("[CLS]", "[X]", "B-PER")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("[1, 2]", "expected a list of label names"),
        ('["a", ""]', "expected a list of label names"),
        ('["a", "a"]', "names a more than once"),
        ('["a\\nb"]', "several lines"),
        ("a\nb\na\n", "names a more than once"),
        ('["a", ', "is not a JSON list"),
        ('财经\n{"label": "体育"}', "looks like JSON among plain names"),
        ('财经\n["体育"]', "looks like JSON among plain names"),
        ('{"0": "a", "2": "b"}', "expected 0 to 1"),
        ('{"a": 1, "b": 2}', "expected 0 to 1"),
        ('{"a": "x", "b": "y"}', "neither numbers for all"),
        ("0\ta\nb", "a line has a tab"),
        ('{"label": "a"}\n[1]', "is not a JSON list"),
        ('{"label": "a"}\nb', "is not a JSON list"),
        ('{"label": 3}', "expected a list of label names"),
    ],
)
def test_anything_else_is_refused_with_the_file(tmp_path: Path, content: str, fault: str) -> None:
    with pytest.raises(LabelCountError, match=fault) as caught:
        labels_in(tmp_path, content)
    assert str(tmp_path / "labels") in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelCountError, match="cannot be read"):
        read_label_file(tmp_path / "nowhere")
    (tmp_path / "gbk").write_bytes("财经".encode("gbk"))
    with pytest.raises(LabelCountError, match=r"not UTF-8 .*GB18030.*iconv -f GB18030 -t UTF-8"):
        read_label_file(tmp_path / "gbk")


@pytest.mark.parametrize("content", ["", " \n\n", "[]\n"])
def test_a_file_without_names_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(LabelCountError, match="holds no label names"):
        labels_in(tmp_path, content)
