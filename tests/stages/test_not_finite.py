"""Scores that are NaN or infinite are an error of their request in every task, never a label."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from ernie_triton.arrays import Tensors
from ernie_triton.decoders.entities import EntitySettings
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.decoders.ranks import RankSettings
from ernie_triton.decoders.spans import AnswerSettings
from ernie_triton.decoders.vectors import VectorSettings
from ernie_triton.errors import NotFiniteError
from ernie_triton.stages.postprocess import PostprocessStage
from ernie_triton.tasks import NO_SPAN, TASKS

NAMES = ("体育", "财经", "世界")
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "seq_cls": LabelSettings(task="seq_cls", labels=3, thresholds=()).to_parameters(),
    "multi_label": LabelSettings(task="multi_label", labels=3, thresholds=(0.5,)).to_parameters(),
    "regression": LabelSettings(task="regression", labels=1, thresholds=()).to_parameters(),
    "rerank": RankSettings(task="rerank", labels=1, ranked=0, activation="sigmoid").to_parameters(),
    "token_cls": EntitySettings(task="token_cls", labels=3, per_token=False).to_parameters(),
    "qa": AnswerSettings(
        task="qa", max_answer_tokens=2, n_best=2, no_answer_threshold=0.0
    ).to_parameters(),
    "embedding": VectorSettings(task="embedding", normalize=True).to_parameters(),
}


def stage_of(task: str) -> PostprocessStage:
    labels = int(SETTINGS[task].get("labels", 0))
    return PostprocessStage(SETTINGS[task], NAMES[:labels])


def engine_outputs(task: str) -> Tensors:
    """Outputs for two texts; where there are windows, the first text has two of them."""
    rng = np.random.default_rng(0)
    windows = TASKS[task].has_windows
    labels = int(SETTINGS[task].get("labels", 3))
    shape = {"token_cls": (3, 4, labels), "qa": (3, 4)}.get(task, (2, labels))
    outputs: Tensors = {
        output.name: rng.normal(size=shape).astype(np.float32)
        for output in TASKS[task].engine_outputs
    }
    if TASKS[task].list_input:
        return {**outputs, "query_row": np.array([[0], [1]], np.int32)}
    if not windows:
        return outputs
    spans = np.full((3, 4, 3), NO_SPAN, np.int32)
    spans[:, 1] = (0, 1, 1)
    return {
        **outputs,
        "spans": spans,
        "window": np.array([[0, 0], [0, 1], [1, 0]], np.int32),
        "source": np.array([["甲乙".encode()], [b""], ["丁".encode()]], np.object_),
    }


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("task", SETTINGS)
def test_the_text_whose_outputs_are_no_numbers_is_named(task: str, bad: float) -> None:
    stage, outputs = stage_of(task), engine_outputs(task)
    assert stage.answer(outputs)
    name = TASKS[task].engine_outputs[-1].name
    outputs[name][-1, min(1, outputs[name].shape[1] - 1)] = bad
    message = rf"^text 2 of the request: the engine's {name} are NaN or infinite; verify"
    with pytest.raises(NotFiniteError, match=message):
        stage.answer(outputs)


@pytest.mark.parametrize("task", ["token_cls", "qa"])
def test_the_padding_of_windows_may_hold_anything(task: str) -> None:
    stage, outputs = stage_of(task), engine_outputs(task)
    expected = stage.answer(outputs)
    for tensor in TASKS[task].engine_outputs:
        outputs[tensor.name][:, 3] = math.nan
    for name, values in stage.answer(outputs).items():
        np.testing.assert_array_equal(values, expected[name])
