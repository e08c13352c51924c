"""Extraction: answers are those of PaddleNLP's Taskflow, whatever runs beside them."""

import json
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ernie_triton.arrays import Tensors
from ernie_triton.engines import load_engine
from ernie_triton.errors import NotFiniteError, SchemaError, TextError
from ernie_triton.stages.engine import EngineStage
from ernie_triton.stages.extraction import ExtractionStage, JoinedExtraction, PromptStage
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.stages.calls import answers
from tests.stages.uie_model import (
    CASES,
    MAX_LENGTH,
    UIE,
    asked,
    case_named,
    engine_settings,
    extraction_settings,
    joined_extraction,
    same_answer,
    write_uie_engine,
)

# A text alone in one window: what lies beyond is answered better, as docs/tasks.md says.
WHOLE = [
    case["name"]
    for case in CASES
    if case["options"]["max_seq_len"] == MAX_LENGTH or "split_sentence" in case["options"]
]
TWO_CLASSES = "aspects: opinion and sentiment"
SYMBOLS = "unknown characters"


@pytest.fixture(scope="module")
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uie_engine")
    write_uie_engine(folder)
    return folder


@pytest.fixture(scope="module")
def stage(engine_folder: Path) -> Iterator[JoinedExtraction]:
    opened = joined_extraction(engine_folder)
    yield opened
    opened.close()


def results(stage: Any, texts: list[str], schema: object) -> list[Any]:
    answer = stage.answer(asked(texts, schema))
    return [json.loads(cell) for cell in answer["result"].ravel()]


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in (TWO_CLASSES, SYMBOLS)])
def test_answers_are_those_of_paddlenlp(engine_folder: Path, name: str) -> None:
    case = case_named(name)
    options = {key: value for key, value in case["options"].items() if key != "batch_size"}
    max_length = options.pop("max_seq_len")
    opened = joined_extraction(engine_folder, max_length=max_length, **options)
    found = results(opened, case["texts"], case["schema"])
    opened.close()
    for text, expected, answer in zip(case["texts"], case["results"], found, strict=True):
        assert same_answer(expected, answer), (text, expected, answer)


def test_of_two_options_in_a_window_the_likeliest_is_the_answer(stage: JoinedExtraction) -> None:
    # PaddleNLP takes the first in the order of a Python set.
    case = case_named(TWO_CLASSES)
    found = results(stage, case["texts"], case["schema"])
    assert same_answer(case["results"][1], found[1])
    [aspect, _] = found[0]["评价维度"]
    [chosen] = aspect["relations"]["情感倾向[正向,负向]"]
    [theirs] = case["results"][0]["评价维度"][0]["relations"]["情感倾向[正向,负向]"]
    assert chosen["probability"] >= theirs["probability"]


def test_places_are_characters_of_the_text_as_sent(stage: JoinedExtraction) -> None:
    for case in (case_named(SYMBOLS), case_named("newlines and spaces")):
        for text, answer in zip(
            case["texts"], results(stage, case["texts"], case["schema"]), strict=True
        ):
            for spans in answer.values():
                for span in spans:
                    assert text[span["start"] : span["end"]] == span["text"]


def test_a_span_across_a_cut_of_paddlenlp_is_found(engine_folder: Path) -> None:
    opened = joined_extraction(engine_folder, max_length=50)
    sentences = [
        f"{name}在北京大学工作。" for name in ("王芳", "李伟", "张敏", "刘洋", "陈静", "赵丽")
    ]
    text = "".join(sentences * 3)
    [found] = results(opened, [text], ["人物", "机构"])
    opened.close()
    names = [span["text"] for span in found["人物"]]
    assert names == ["王芳", "李伟", "张敏", "刘洋", "陈静", "赵丽"] * 3
    assert [span["start"] for span in found["人物"]] == [10 * n for n in range(18)]
    assert len({(span["start"], span["end"]) for span in found["机构"]}) == len(found["机构"])


def test_other_requests_at_the_same_time_change_no_answer(stage: JoinedExtraction) -> None:
    cases = [case for case in CASES if case["options"] == {"max_seq_len": MAX_LENGTH}]
    requests = [
        (text, case["schema"])
        for case in cases
        for text in ([case["texts"]] if isinstance(case["texts"], str) else case["texts"])
    ]
    alone = [results(stage, [text], schema) for text, schema in requests]
    with ThreadPoolExecutor(16) as pool:
        together = pool.map(lambda asked: results(stage, [asked[0]], asked[1]), requests * 3)
        assert list(together) == alone * 3


def test_texts_of_one_request_may_have_schemas_of_their_own(stage: JoinedExtraction) -> None:
    texts = ["王芳在北京大学工作。", "李伟出生于上海，现在在招商银行工作。"]
    one, two = asked(texts[:1], ["时间", "机构"]), asked(texts[1:], {"人物": ["出生地"]})
    both = {name: np.concatenate([one[name], two[name]]) for name in one}
    alone = [stage.answer(request)["result"][0, 0] for request in (one, two)]
    assert stage.answer(both)["result"].ravel().tolist() == alone


def prompted(folder: Path, **changed: Any) -> tuple[PromptStage, EngineStage, ExtractionStage]:
    """The three stages of an ensemble, where the last asks the engine of the middle."""
    settings = extraction_settings(**changed)
    encoder = TextEncoder(load_vocabulary(UIE / "vocab.txt"), max_length=256, lower_case=True)
    engine = EngineStage(load_engine(folder, engine_settings()), defers=False)
    last = ExtractionStage(settings, encoder)
    last.ask = engine.answer
    return PromptStage(settings, encoder), engine, last


@pytest.mark.parametrize("engine_rows", [1, 3, 64])
def test_the_stages_of_an_ensemble_answer_as_the_joined_one(
    engine_folder: Path, stage: JoinedExtraction, engine_rows: int
) -> None:
    first, engine, last = prompted(engine_folder, engine_rows=engine_rows)
    case = case_named("mixed list")
    request = asked(case["texts"], case["schema"])
    tokens = first.answer(request)
    assert len(tokens["input_ids"]) <= engine_rows
    outputs = engine.answer({name: tokens[name] for name in engine.inputs})
    found = last.answer({**outputs, "asked": tokens["asked"]})
    last.close()
    expected = [json.loads(cell) for cell in stage.answer(request)["result"].ravel()]
    assert same_answer(expected, [json.loads(cell) for cell in found["result"].ravel()])


@pytest.mark.parametrize(
    ("text", "schema", "error", "message"),
    [
        ("", ["人物"], TextError, r"row 0 of the input 'text' is empty; expected a text"),
        (" \n", ["人物"], TextError, r"row 0 of the input 'text' is empty; expected a text"),
        ("王芳", [3], SchemaError, r"row 0 of the input 'schema': the schema has a number"),
        ("王芳", b"\xff", TextError, r"row 0 of the input 'schema' is not UTF-8"),
        ("王芳", b"[" * 40, SchemaError, r"row 0 of the input 'schema': the schema is not JSON"),
    ],
)
def test_a_bad_request_is_refused_before_anything_runs(
    stage: JoinedExtraction, text: str, schema: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        stage.read(asked([text], schema))


def test_a_request_of_too_many_rows_is_refused_and_hurts_no_other(engine_folder: Path) -> None:
    opened = joined_extraction(engine_folder, max_prompts=3)
    good = asked(["王芳在北京大学工作。"], ["人物", "机构", "时间"])
    bad = asked(["王芳在北京大学工作。"] * 2, ["人物", "机构"])
    outputs = opened.run([opened.read(bad), opened.read(good)])
    with pytest.raises(SchemaError, match=r"needs more than 3 rows, one for each prompt, text and"):
        outputs[0].result(20)  # type: ignore[union-attr]
    assert "人物" in json.loads(outputs[1].result(20)["result"][0, 0])  # type: ignore[union-attr]
    opened.close()


def test_rows_of_deeper_names_count_too(engine_folder: Path) -> None:
    opened = joined_extraction(engine_folder, max_prompts=2)
    request = asked(["王芳和李伟在北京大学工作。"], {"人物": ["工作单位", "出生地"]})
    with pytest.raises(SchemaError, match=r"needs more than 2 rows"):
        opened.answer(request)
    opened.close()


def test_the_text_whose_scores_are_no_numbers_is_named(engine_folder: Path) -> None:
    first, engine, last = prompted(engine_folder)
    tokens = first.answer(asked(["王芳在北京大学工作。", "今天天气晴朗。"], ["人物"]))
    outputs: Tensors = engine.answer({name: tokens[name] for name in engine.inputs})
    # Rows are ordered by their lengths: the second text is shorter, so it comes first.
    outputs["end_logits"][0, 2] = math.nan
    message = r"^text 2 of the request: the engine's end_logits are NaN or infinite; verify"
    with pytest.raises(NotFiniteError, match=message):
        last.answer({**outputs, "asked": tokens["asked"]})
    last.close()


def test_the_queue_of_an_engine_gathers_what_waits(engine_folder: Path) -> None:
    opened = joined_extraction(engine_folder)
    sizes: list[int] = []
    engine = opened._queue._engine
    run, gate = engine.run, threading.Event()

    def counted(items: Any) -> Any:
        gate.wait(10)
        sizes.append(len(items))
        return run(items)

    engine.run = counted  # type: ignore[method-assign]
    outputs = opened.run([opened.read(asked(["王芳在上海。"], [name])) for name in "人物机构"])
    gate.set()
    assert len([output.result(20) for output in outputs]) == 4  # type: ignore[union-attr]
    assert sum(sizes) == 4
    assert len(sizes) < 4
    opened.close()


def test_an_answer_has_a_row_for_each_text(stage: JoinedExtraction) -> None:
    [one, two] = answers(stage, [asked(["王芳"], ["人物"]), asked(["王芳", "李伟"], "人物")])
    assert (one["result"].shape, two["result"].shape) == ((1, 1), (2, 1))
