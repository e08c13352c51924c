"""Schemas: PaddleNLP's forms are read, everything else is refused in one clear line."""

import json
from typing import Any

import pytest

from ernie_triton.decoders.pointers import FoundSpan
from ernie_triton.decoders.schema import SchemaLimits, SchemaNode, parse_schema
from ernie_triton.decoders.schema_walk import SchemaWalk, half_width
from ernie_triton.errors import SchemaError

LIMITS = SchemaLimits(names=8, depth=3, characters=20)


def parsed(schema: Any) -> tuple[SchemaNode, ...]:
    return parse_schema(json.dumps(schema), LIMITS)


def test_the_forms_of_paddlenlp_are_read() -> None:
    assert parsed("人物") == parsed(["人物"]) == (SchemaNode("人物"),)
    relation = SchemaNode("人物", (SchemaNode("出生地"),))
    assert parsed({"人物": "出生地"}) == parsed([{"人物": ["出生地"]}]) == (relation,)
    assert parsed(["时间", {"机构": [{"人物": "职务"}, "时间"]}]) == (
        SchemaNode("时间"),
        SchemaNode(
            "机构",
            (SchemaNode("人物", (SchemaNode("职务"),)), SchemaNode("时间")),
        ),
    )
    assert parsed({"人物": []}) == (SchemaNode("人物"),)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("人物", r"the schema is not JSON: .*; send one like \["),
        ("[", r"the schema is not JSON"),
        ("[]", r"the schema is empty; send one like"),
        ("5", r"the schema has a number, '5'; expected a name, or an object of names"),
        ("null", r"the schema has null, 'null'"),
        ("[true]", r"the schema has true or false, 'true'"),
        ('[["人物"]]', r"the schema has a list, '\[\"人物\"\]'; expected a name"),
        ('{"人物": 3}', r"the schema has a number under '人物', '3'; expected a name, or a list"),
        ('{"人物": {"单位": "时间"}}', r"the schema has an object under '人物'"),
        ('["  "]', r"the schema has an empty name; expected what to look for"),
        ('{"人物": [""]}', r"the schema has an empty name under '人物'"),
        ('["\\ud800"]', r"the schema has a name with half a character"),
        (
            json.dumps(["人" * 21]),
            r"the schema's name '人{20,}' has 21 characters; expected",
        ),
        (json.dumps([str(n) for n in range(9)]), r"the schema is too large; at most 8 names, 3 "),
        ('{"a": [{"b": [{"c": "d"}]}]}', r"the schema has names under 'c', more than 3 deep"),
        ("[" * 100_000, r"the schema is nested too deeply; at most 8 names, 3 deep"),
    ],
)
def test_another_schema_is_refused_with_one_line(schema: str, message: str) -> None:
    with pytest.raises(SchemaError, match=message) as error:
        parse_schema(schema, LIMITS)
    assert "\n" not in str(error.value)


def span(start: int, text: str, probability: float = 0.9) -> FoundSpan:
    return FoundSpan(start, start + len(text), text, probability)


def test_prompts_of_a_depth_name_the_spans_of_the_depth_before() -> None:
    walk = SchemaWalk(parsed([{"人物": ["单位", "出生地"]}, "时间"]))
    assert walk.prompts == ["人物", "时间"]
    walk.take([[span(0, "王芳"), span(5, "李伟")], []])
    assert walk.prompts == ["王芳的单位", "李伟的单位", "王芳的出生地", "李伟的出生地"]
    walk.take([[span(10, "百度")], [], [], [span(7, "上海"), span(3, "北京")]])
    assert walk.prompts == []
    first, second = walk.result["人物"]
    assert walk.result.keys() == {"人物"}
    assert first["relations"] == {
        "单位": [{"text": "百度", "start": 10, "end": 12, "probability": 0.9}]
    }
    assert [one["text"] for one in second["relations"]["出生地"]] == ["上海", "北京"]


def test_a_text_without_spans_ends_with_an_empty_object() -> None:
    walk = SchemaWalk(parsed({"人物": ["单位"]}))
    walk.take([[]])
    assert (walk.prompts, walk.result) == ([], {})


def test_a_name_that_stands_twice_is_listed_twice_and_related_once() -> None:
    walk = SchemaWalk(parsed(["人物", {"人物": "单位"}]))
    walk.take([[span(0, "王芳")], [span(0, "王芳")]])
    walk.take([[span(4, "百度")]])
    assert ["relations" in one for one in walk.result["人物"]] == [True, False]


def test_an_option_can_be_asked_about_too() -> None:
    walk = SchemaWalk(parsed({"情感[正,负]": "理由"}))
    walk.take([[FoundSpan(-1, -1, "正", 0.8)]])
    assert walk.prompts == ["正的理由"]
    assert walk.result == {"情感[正,负]": [{"text": "正", "probability": 0.8}]}


def test_prompts_are_half_width_and_names_stay() -> None:
    assert half_width("ｉＰｈｏｎｅ　１２［正］") == "iPhone　12[正]"
    walk = SchemaWalk(parsed("价格［高，低］"))
    assert walk.prompts == ["价格[高,低]"]
    walk.take([[FoundSpan(-1, -1, "高", 0.8)]])
    assert walk.result.keys() == {"价格［高，低］"}
