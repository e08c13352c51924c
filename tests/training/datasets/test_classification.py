"""The lines are of the shapes that CLUE publishes (github.com/CLUEbenchmark/CLUE)."""

from pathlib import Path
from typing import Any

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets import DataSet, items_of, read_dataset
from tests.training.datasets.folders import write

TNEWS = {
    "label": "102",
    "label_desc": "news_entertainment",
    "sentence": "江疏影甜甜圈自拍，迷之角度竟这么好看，美吸引一切事物",
    "keywords": "江疏影,美少女,经纪人,甜甜圈",
}
IFLYTEK = {"label": "110", "label_des": "社区超市", "sentence": "朴朴快送超市创立于2016年"}
AFQMC = {
    "sentence1": "蚂蚁借呗等额还款可以换成先息后本吗",
    "sentence2": "借呗有先息到期还本吗",
    "label": "0",
}
CMNLI = {
    "sentence1": "新的权利已经足够好了",
    "sentence2": "每个人都很喜欢最新的福利",
    "label": "neutral",
}
OCNLI = {
    "level": "medium",
    "sentence1": "身上裹一件工厂发的棉大衣,手插在袖筒里",
    "sentence2": "身上至少一件衣服",
    "label": "entailment",
    "label0": "entailment",
    "label1": None,
    "genre": "lit",
    "prem_id": "lit_635",
    "id": 0,
}
CSL = {
    "id": 1,
    "abst": "为解决传统均匀FFT波束形成算法引起的3维声呐成像分辨率降低的问题",
    "keyword": ["水声学", "FFT", "波束形成", "3维成像声呐"],
    "label": "1",
}
WSC = {
    "target": {
        "span2_index": 37,
        "span1_index": 5,
        "span1_text": "床",
        "span2_text": "它",
    },
    "idx": 261,
    "text": "这时候放在床上枕头旁边的手机响了，我感到奇怪，"
    "因为欠费已被停机两个月，现在它突然响了。",
    "label": "false",
}


def read(folder: Path, train: list[Any], dev: list[Any] | None = None, **files: Any) -> DataSet:
    return read_dataset("seq_cls", write(folder, train=train, dev=dev or train, **files))


@pytest.mark.parametrize(
    ("line", "name", "texts", "label"),
    [
        (TNEWS, "tnews", (TNEWS["sentence"],), "news_entertainment"),
        (AFQMC, "afqmc", (AFQMC["sentence1"], AFQMC["sentence2"]), "0"),
        (CMNLI, "cmnli", (CMNLI["sentence1"], CMNLI["sentence2"]), "neutral"),
        (OCNLI, "ocnli", (OCNLI["sentence1"], OCNLI["sentence2"]), "entailment"),
        (CSL, "csl", ("水声学 FFT 波束形成 3维成像声呐", CSL["abst"]), "1"),
        ({"sentence": "好", "label": "正面"}, "single", ("好",), "正面"),
        ({"sentence1": "好", "sentence2": "坏", "label": "异"}, "pair", ("好", "坏"), "异"),
    ],
)
def test_a_published_line_is_recognised_by_its_keys(
    tmp_path: Path, line: dict[str, Any], name: str, texts: tuple[str, ...], label: str
) -> None:
    data = read(tmp_path, [line])
    [example] = data.train
    assert (data.name, example.texts, example.line) == (name, texts, 1)
    assert data.pair == (len(texts) == 2)
    assert data.labels[example.target] == label  # type: ignore[index]


def test_iflytek_has_its_119_labels_by_name_from_labels_json(tmp_path: Path) -> None:
    labels = [{"label": str(i), "label_des": f"类{i}"} for i in range(119)]
    line = {**IFLYTEK, "label_des": "类110"}
    data = read(tmp_path, [line], labels=labels)
    assert (data.name, len(data.labels), data.train[0].target) == ("iflytek", 119, 110)
    assert data.labels[110] == "类110"


def test_wsc_marks_noun_and_pronoun_as_the_toolkit_does(tmp_path: Path) -> None:
    # By hand after model_zoo/ernie-3.0/utils.py: `_` around span 1, `[` `]` around span 2.
    marked = (
        "这时候放在_床_上枕头旁边的手机响了，我感到奇怪，因为欠费已被停机两个月，现在[它]突然响了。"
    )
    data = read(tmp_path, [WSC])
    assert (data.name, data.train[0].texts, data.labels) == (
        "cluewsc2020",
        (marked,),
        ("true", "false"),
    )
    assert data.train[0].target == 1


def test_wsc_marks_a_pronoun_that_comes_first(tmp_path: Path) -> None:
    target = {"span1_index": 3, "span1_text": "小王", "span2_index": 0, "span2_text": "他"}
    data = read(tmp_path, [{"target": target, "text": "他说，小王来", "label": "true"}], None)
    assert data.train[0].texts == ("[他]说，_小王_来",)


@pytest.mark.parametrize("line", [CMNLI, OCNLI])
def test_pairs_without_agreement_are_left_out_and_counted(
    tmp_path: Path, line: dict[str, Any]
) -> None:
    data = read(tmp_path, [{**line, "label": "-"}, line, line], [line, {**line, "label": "-"}])
    assert ([one.line for one in data.train], [one.line for one in data.dev]) == ([2, 3], [1])
    assert [note.partition(":")[2].split(",")[0] for note in data.notes] == [
        " 1 of 3 lines left out",
        " 1 of 2 lines left out",
    ]
    assert not data.is_plain


def test_a_dash_is_no_label_of_other_data_sets(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"train\.json:2: unknown label \"-\"; expected one of 0"
    ):
        read(tmp_path, [AFQMC, {**AFQMC, "label": "-"}])


def test_labels_without_a_file_are_those_of_the_training_lines_by_number(tmp_path: Path) -> None:
    other = {**TNEWS, "label": "17", "label_desc": "news_z"}
    data = read(tmp_path, [TNEWS, other])
    assert data.labels == ("news_z", "news_entertainment")
    with pytest.raises(DatasetError, match=r"dev\.json:1: unknown label \"news_new\""):
        read(tmp_path, [TNEWS], [{**TNEWS, "label": "9", "label_desc": "news_new"}])


def test_number_and_name_of_a_label_must_agree(tmp_path: Path) -> None:
    labels = [
        {"label": "102", "label_desc": "news_entertainment"},
        {"label": "103", "label_desc": "news_sports"},
    ]
    line = {**TNEWS, "label": "103"}
    with pytest.raises(
        DatasetError,
        match=r'train\.json:2: label_desc "news_entertainment", label "103" are different labels',
    ):
        read(tmp_path, [TNEWS, line], [TNEWS], labels=labels)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"sentence": "好"}, "the object has sentence; expected label"),
        ({"label": "0"}, "the object has label; expected sentence"),
        ({"sentence": 5, "label": "0"}, "sentence is 5; expected a string"),
        ({**CSL, "keyword": "水"}, 'keyword is "水"; expected a list of strings'),
        ({**WSC, "target": 3}, "target is 3; expected an object"),
        (
            {**WSC, "target": {**WSC["target"], "span1_index": 6}},  # type: ignore[dict-item]
            "span1_text '床' is not at character 6 of the text",
        ),
        ('{"sentence": "好"', "no JSON: "),
        ("[1]", "a JSON list; expected an object"),
        ("", "the line is empty"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: Any, message: str) -> None:
    good: dict[str, Any] = {"sentence": "好", "label": "0"}
    if isinstance(line, dict) and "keyword" in line:
        good = CSL
    if isinstance(line, dict) and "target" in line:
        good = WSC
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, [good, good, line, good])
    assert f"train.json:3: {message}" in str(caught.value)


def test_labelled_words_and_bags_of_labels_are_sent_to_their_task(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"train\.json:1: .* data of token_cls"):
        read(tmp_path, [{"tokens": ["好"], "labels": ["O"]}])
    with pytest.raises(DatasetError, match=r"train\.json:1: .* data of multi_label"):
        read(tmp_path, [{"sentence": "好", "labels": ["O"]}])


def test_a_named_format_is_not_guessed(tmp_path: Path) -> None:
    folder = write(tmp_path, train=[{**AFQMC, "label": "7"}], dev=[{**AFQMC, "label": "7"}])
    assert read_dataset("seq_cls", folder).labels == ("7",)
    with pytest.raises(DatasetError, match='unknown label "7"; expected one of 0, 1'):
        read_dataset("seq_cls", folder, dataset="afqmc")


def test_gold_labels_stand_where_the_clients_look_for_them(tmp_path: Path) -> None:
    data = read(tmp_path, [TNEWS])
    [item] = items_of(data, data.dev)
    assert (item.texts, item.record) == ((TNEWS["sentence"],), {"label": "news_entertainment"})
