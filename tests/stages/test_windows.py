"""Texts longer than the model go through all three stages and come back in one piece."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ernie_triton.arrays import Array
from ernie_triton.decoders.entities import EntitySettings
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.decoders.spans import AnswerSettings
from ernie_triton.errors import LabelCountError, TextError
from ernie_triton.settings import TokenizerSettings
from ernie_triton.stages.engine import EngineStage
from ernie_triton.stages.postprocess import PostprocessStage
from ernie_triton.stages.stage import Stage
from ernie_triton.stages.tokenizer import TokenizerStage
from ernie_triton.tasks import QA, TOKEN_CLS, WINDOW_TENSORS, token_tensors
from tests.engines.tiny_model import VOCABULARY, engine_settings, random_model, write_tiny_engine
from tests.stages.calls import answers, assert_as_declared, texts

MAX_LENGTH, OVERLAP, MAX_WINDOWS = 12, 4, 12
TENSORS_OF_TEXTS = (*token_tensors(pair=False), *WINDOW_TENSORS)
TENSORS_OF_PAIRS = (*token_tensors(pair=True), *WINDOW_TENSORS)
LABELS = ("O", "B-LOC", "I-LOC")
LONG = "北京天的好吃" * 4
"""A text of 24 tokens, more than a window has."""


def tokenizer(folder: Path, vocab: Path, task: str) -> TokenizerStage:
    # As many tokens as the tiny model knows.
    lines = vocab.read_text(encoding="utf-8").splitlines()[:VOCABULARY]
    (folder / "1" / "vocab.txt").write_text("\n".join(lines), encoding="utf-8")
    settings = TokenizerSettings(
        task=task,
        pair=task == "qa",
        max_length=MAX_LENGTH,
        lower_case=True,
        overlap=OVERLAP,
        max_windows=MAX_WINDOWS,
    )
    return TokenizerStage.open(settings.to_parameters(), folder / "1")


def engine(folder: Path, task: str, layout: str) -> EngineStage:
    settings = engine_settings("onnxruntime", layout, task, pair=task == "qa")
    write_tiny_engine(random_model(task=task), settings, folder / "1")
    return EngineStage.open(settings.to_parameters(), folder / "1")


def postprocess(folder: Path, task: str) -> PostprocessStage:
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in LABELS), encoding="utf-8")
    settings = {
        "seq_cls": LabelSettings(task=task, labels=len(LABELS), thresholds=()),
        "token_cls": EntitySettings(task=task, labels=len(LABELS), per_token=False),
        "qa": AnswerSettings(
            task=task, max_answer_tokens=8, n_best=3, no_answer_threshold=float("inf")
        ),
    }
    return PostprocessStage.open(settings[task].to_parameters(), folder / "1")


def test_texts_of_one_request_become_rows_by_window(folder: Path, paddle_vocab: Path) -> None:
    stage = tokenizer(folder, paddle_vocab, "token_cls")
    tensors, short = answers(stage, [{"text": texts(LONG[:22], "北京")}, {"text": texts("")}])
    assert_as_declared(tensors, TENSORS_OF_TEXTS, 4)
    assert tensors["window"].tolist() == [[0, 0], [0, 6], [0, 12], [1, 0]]
    # [PAD] of this vocabulary is 0.
    assert [row.nonzero()[0].tolist() for row in tensors["input_ids"]] == [
        *[list(range(12))] * 3,
        list(range(4)),
    ]
    assert tensors["input_ids"].shape == (4, MAX_LENGTH)
    assert tensors["source"].tolist() == [[LONG[:22].encode()], [b""], [b""], ["北京".encode()]]
    assert_as_declared(short, TENSORS_OF_TEXTS, 1)
    assert short["input_ids"].shape == (1, 2)


def test_a_request_of_too_many_windows_is_refused(folder: Path, paddle_vocab: Path) -> None:
    stage = tokenizer(folder, paddle_vocab, "qa")
    good = {"question": texts("不"), "context": texts("北京的")}
    assert_as_declared(stage.answer(good), TENSORS_OF_PAIRS, 1)
    with pytest.raises(TextError, match="needs 17 windows of 12 tokens; at most 12 are allowed"):
        stage.answer({"question": texts("不"), "context": texts(LONG * 3)})
    message = "the request has 2,400 characters of text; expected at most 1,152"
    with pytest.raises(TextError, match=message):
        stage.answer({"question": texts("不"), "context": texts(LONG * 100)})


def test_a_question_that_is_not_utf_8_is_named(folder: Path, paddle_vocab: Path) -> None:
    stage = tokenizer(folder, paddle_vocab, "qa")
    with pytest.raises(TextError, match="row 0 of the input 'question' is not UTF-8"):
        stage.read({"question": texts(b"\xff"), "context": texts("北")})


def through_stages(
    folder: Path, vocab: Path, task: str, layout: str, requests: Sequence[dict[str, Array]]
) -> list[dict[str, Array]]:
    """The tensors of requests after all three stages, batched in each of them."""
    stages: list[Stage[Any]] = [
        tokenizer(folder, vocab, task),
        engine(folder, task, layout),
        postprocess(folder, task),
    ]
    passed: list[dict[str, Array]] = [dict(request) for request in requests]
    for stage in stages:
        given = [{name: tensors[name] for name in stage.inputs} for tensors in passed]
        for tensors, answer in zip(passed, answers(stage, given), strict=True):
            tensors.update(answer)
    return passed


@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_entities_do_not_depend_on_what_else_is_asked(
    layout: str, folder: Path, paddle_vocab: Path
) -> None:
    contents = [[LONG, "北京"], [""], ["天的好" * 9, LONG[3:], "吃"]]
    requests = [{"text": texts(*values)} for values in contents]
    together = through_stages(folder, paddle_vocab, "token_cls", layout, requests)
    seen = 0
    for request, values, answer in zip(requests, contents, together, strict=True):
        (alone,) = through_stages(folder, paddle_vocab, "token_cls", layout, [request])
        assert answer["OUTPUT"].shape == (len(values),)
        for text, found, expected in zip(values, answer["OUTPUT"], alone["OUTPUT"], strict=True):
            entities = json.loads(found)
            assert [one["pos"] for one in entities] == [one["pos"] for one in json.loads(expected)]
            for one in entities:
                first, last = one["pos"]
                assert text[first : last + 1] == one["entity"]
                seen += 1
    assert seen > 5


@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_answers_do_not_depend_on_what_else_is_asked(
    layout: str, folder: Path, paddle_vocab: Path
) -> None:
    contents = [[("不", LONG)], [("", ""), ("好" * 30, "天的好" * 3)]]
    requests = [
        {
            "question": texts(*(question for question, _ in pairs)),
            "context": texts(*(context for _, context in pairs)),
        }
        for pairs in contents
    ]
    together = through_stages(folder, paddle_vocab, "qa", layout, requests)
    for request, pairs, answer in zip(requests, contents, together, strict=True):
        (alone,) = through_stages(folder, paddle_vocab, "qa", layout, [request])
        np.testing.assert_array_equal(answer["span"], alone["span"])
        np.testing.assert_allclose(answer["score"], alone["score"], atol=1e-5)
        for (_, context), cut, (first, end) in zip(
            pairs, answer["answer"][:, 0], answer["span"], strict=True
        ):
            assert cut.decode() == (context[first:end] if context else "")


def test_results_of_answers_are_as_declared(folder: Path, paddle_vocab: Path) -> None:
    stage = postprocess(folder, "qa")
    request = {"question": texts("不", "不"), "context": texts(LONG, "北")}
    (tensors,) = through_stages(folder, paddle_vocab, "qa", "packed", [request])
    answer = stage.answer({name: tensors[name] for name in stage.inputs})
    assert_as_declared(answer, QA.results, 2)


def test_scores_of_another_count_than_the_labels_are_refused(
    folder: Path, paddle_vocab: Path
) -> None:
    (tensors,) = through_stages(
        folder, paddle_vocab, "token_cls", "packed", [{"text": texts("北")}]
    )
    stage = postprocess(folder, "token_cls")
    good = {name: tensors[name] for name in stage.inputs}
    assert set(good) == {spec.name for spec in (*TOKEN_CLS.engine_outputs, *WINDOW_TENSORS)}
    bad = {**good, "logits": np.zeros((1, 3, 2), np.float32)}
    stage.answer(good)
    with pytest.raises(LabelCountError, match="returns 2 scores a token but there are 3 label"):
        stage.read(bad)
