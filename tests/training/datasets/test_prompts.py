"""Labelled lines become the prompts that PaddleNLP's `doccano.py` would make of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets import (
    DataSet,
    Extracted,
    PromptAnswers,
    PromptRules,
    read_dataset,
)
from ernie_triton.training.datasets.plain import plain_content

TEXT = "王芳生于北京，李雷生于上海。"
LINE: dict[str, Any] = {
    "id": 7,
    "text": TEXT,
    "entities": [
        {"id": 11, "label": "人物", "start_offset": 0, "end_offset": 2},
        {"id": 12, "label": "地点", "start_offset": 4, "end_offset": 6},
        {"id": 13, "label": "人物", "start_offset": 7, "end_offset": 9},
        {"id": 14, "label": "地点", "start_offset": 11, "end_offset": 13},
    ],
    "relations": [
        {"id": 1, "from_id": 11, "to_id": 12, "type": "出生地"},
        {"id": 2, "from_id": 13, "to_id": 14, "type": "出生地"},
    ],
    "Comments": [],
}
TIME: dict[str, Any] = {
    "text": "今天有雨",
    "entities": [{"id": 1, "label": "时间", "start_offset": 0, "end_offset": 2}],
    "relations": [],
}


def read(folder: Path, *lines: object, dev: Sequence[object] = (TIME,), **rules: Any) -> DataSet:
    folder.mkdir(exist_ok=True)
    for name, some in (("train.json", lines), ("dev.json", dev)):
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in some)
        (folder / name).write_text(content, encoding="utf-8")
    return read_dataset("extraction", folder, prompt_rules=PromptRules(**rules))


def prompts(data: DataSet, place: int = 0) -> dict[str, PromptAnswers]:
    target = data.train[place].target
    assert isinstance(target, Extracted)
    return {one.prompt: one for one in target.prompts}


def test_labels_and_relations_become_prompts_with_their_spans(tmp_path: Path) -> None:
    data = read(tmp_path, LINE, TIME, negative_ratio=0)
    found = prompts(data)
    assert found == {
        "人物": PromptAnswers(prompt="人物", spans=((0, 2), (7, 9))),
        "地点": PromptAnswers(prompt="地点", spans=((4, 6), (11, 13))),
        "王芳的出生地": PromptAnswers(prompt="王芳的出生地", spans=((4, 6),)),
        "李雷的出生地": PromptAnswers(prompt="李雷的出生地", spans=((11, 13),)),
    }
    schema = [{"人物": ["出生地"]}, "地点", "时间"]
    assert data.train[0].texts == (TEXT, json.dumps(schema, ensure_ascii=False))
    assert (data.is_plain, data.pair, data.outputs) == (True, True, ())


def test_prompts_without_an_answer_are_the_other_labels_and_ends(tmp_path: Path) -> None:
    unanswered = {
        name for name, one in prompts(read(tmp_path, LINE, TIME)).items() if not one.spans
    }
    assert unanswered == {"时间", "北京的出生地", "上海的出生地"}


def test_a_ratio_bounds_them_and_a_text_without_labels_is_asked_everything(tmp_path: Path) -> None:
    many = [{**TIME, "entities": [{**TIME["entities"][0], "label": name}]} for name in "甲乙丙丁"]
    data = read(tmp_path, *many, {"text": "无", "entities": []}, negative_ratio=2)
    assert [len(prompts(data, place)) for place in range(5)] == [3, 3, 3, 3, 5]
    assert len(prompts(read(tmp_path, *many, negative_ratio=-1))) == 5


def test_classes_of_texts_and_of_entities_are_options_of_a_prompt(tmp_path: Path) -> None:
    reviews = [{"text": "很好", "label": ["正向"]}, {"text": "很差", "label": ["负向"]}]
    data = read(tmp_path, *reviews, dev=reviews)
    (prompt, answers), *_ = prompts(data).items()
    assert prompt in ("情感倾向[正向,负向]", "情感倾向[负向,正向]")
    assert (answers.spans, answers.options) == ((), ("正向",))
    assert data.train[0].texts[1] == json.dumps(["情感倾向[正向,负向]"], ensure_ascii=False)
    assert not data.is_plain
    entity = {"text": "屏幕很好", "label": [[0, 2, "方面##好评"]]}
    data = read(tmp_path, entity, dev=[entity], options=("好评", "差评"), prompt_prefix="观点")
    found = prompts(data)
    assert found["方面"].spans == ((0, 2),)
    assert next(one for name, one in found.items() if "的观点[" in name).options == ("好评",)
    assert json.loads(data.dev[0].texts[1]) == [{"方面": ["观点[好评,差评]"]}]


def test_what_is_written_for_the_clients_reads_back(tmp_path: Path) -> None:
    lines = [{"text": "屏幕很好", "label": [[0, 2, "方面##好评"]]}, {"text": "好", "label": "好评"}]
    data = read(tmp_path, *lines, dev=lines)
    again = tmp_path / "again.json"
    again.write_text(plain_content(data), encoding="utf-8")
    read_again = read_dataset("extraction", tmp_path, dev_file=again)
    assert read_again.dev[0].texts == data.dev[0].texts
    assert [one.target.record for one in read_again.dev] == [  # type: ignore[union-attr]
        one.target.record  # type: ignore[union-attr]
        for one in data.dev
    ]


def test_paddlenlps_lines_are_taken_as_they_are(tmp_path: Path) -> None:
    line = {
        "content": TEXT,
        "prompt": "人物",
        "result_list": [{"text": "王芳", "start": 0, "end": 2}],
    }
    option = {"text": "正向", "start": -7, "end": -5}
    kind: dict[str, Any] = {
        "content": "很好",
        "prompt": "情感倾向[负向,正向]",
        "result_list": [option],
    }
    none = {"content": TEXT, "prompt": "时间", "result_list": []}
    data = read(tmp_path, line, kind, none, dev=[line])
    assert prompts(data, 0) == {"人物": PromptAnswers(prompt="人物", spans=((0, 2),))}
    assert prompts(data, 1)[kind["prompt"]].options == ("正向",)
    assert prompts(data, 2) == {"时间": PromptAnswers(prompt="时间")}
    assert data.dev[0].texts == (TEXT, '["人物"]')


def test_one_export_is_shared_out(tmp_path: Path) -> None:
    lines = [{**TIME, "text": f"今天有雨{number}"} for number in range(10)]
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (tmp_path / "doccano_ext.json").write_text(content, encoding="utf-8")
    data = read_dataset("extraction", tmp_path, prompt_rules=PromptRules(dev_share=0.3))
    texts = [{one.texts[0] for one in some} for some in (data.train, data.dev)]
    assert [len(some) for some in texts] == [7, 3]
    assert texts[0].isdisjoint(texts[1])
    assert "3 of its lines are to evaluate on" in data.notes[0]
    assert not data.is_plain


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"text": "无"}, "expected entities or label"),
        (
            {**TIME, "entities": [{"id": 1, "label": "时间", "start_offset": 2, "end_offset": 9}]},
            "2 to 9",
        ),
        ({**TIME, "entities": "时间"}, "expected a list of objects"),
        ({**LINE, "relations": [{"from_id": 11, "to_id": 99, "type": "出生地"}]}, "to_id 99"),
        ({"text": "好", "label": ["甲", "乙"]}, "expected one"),
        ({"text": "好", "label": [3]}, r"expected classes, or \[start, end, label\]"),
        (
            {
                "content": "好",
                "prompt": "人",
                "result_list": [{"text": "王", "start": 0, "end": 1}],
            },
            "not at",
        ),
        ({**TIME, "options": {"情感[好,坏]": "一般"}}, "expected one of those in its brackets"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: object, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"train\.json:1: .*{message}"):
        read(tmp_path, line)


def test_a_class_that_only_the_dev_lines_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"dev\.json:1: unknown class '乙'; expected one of 甲"):
        read(tmp_path, {"text": "好", "label": "甲"}, dev=[{"text": "好", "label": "乙"}])


@pytest.mark.parametrize("rules", [{"negative_ratio": -2}, {"dev_share": 1.0}, {"separator": ""}])
def test_wrong_rules_are_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(DatasetError, match="expected"):
        PromptRules(**rules)
