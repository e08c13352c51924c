"""The third stage gives each request its own labels, with the types of the wire."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.errors import LabelCountError, PipelineError
from ernie_triton.stages.postprocess import PostprocessStage
from ernie_triton.tasks import SEQ_CLS
from tests.engines.tiny_model import LABELS
from tests.stages.calls import answers, assert_as_declared

NAMES = ("体育", "财经", "news_world")
PARAMETERS = LabelSettings(task="seq_cls", labels=LABELS, thresholds=()).to_parameters()


def opened_stage(folder: Path, names: Sequence[str] = NAMES) -> PostprocessStage:
    content = "".join(f"{name}\n" for name in names)
    (folder / "labels.txt").write_text(content, encoding="utf-8")
    return PostprocessStage.open(PARAMETERS, folder / "1")


def test_requests_of_one_batch_get_their_own_answers(folder: Path) -> None:
    # Logarithms of weights that sum to 8, so that probabilities can be read off.
    requests: list[list[list[float]]] = [[[5, 2, 1]], [[1, 1, 6], [2, 4, 2]], [[7, 0.5, 0.5]]]
    stage = opened_stage(folder)
    logits = [np.log(np.array(rows, np.float32)) for rows in requests]
    made = answers(stage, [{"logits": values} for values in logits])
    for weights, answer in zip(requests, made, strict=True):
        assert_as_declared(answer, SEQ_CLS.results, len(weights))
        np.testing.assert_allclose(answer["scores"], np.array(weights) / 8, rtol=1e-5)
        best = [row.index(max(row)) for row in weights]
        assert answer["label"].tolist() == [[label] for label in best]
        assert answer["label_name"].tolist() == [[NAMES[label].encode()] for label in best]
        np.testing.assert_allclose(
            answer["confidence"], [[max(row) / 8] for row in weights], rtol=1e-5
        )


def test_names_given_answer_as_those_read_from_a_folder(folder: Path) -> None:
    request = {"logits": np.array([[0.0, 1.0, 0.5]], np.float32)}
    given, read = PostprocessStage(PARAMETERS, NAMES), opened_stage(folder)
    found, expected = given.answer(request), read.answer(request)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_logits_of_another_count_are_refused(folder: Path) -> None:
    bad = np.zeros((1, LABELS + 1), np.float32)
    message = "the engine returns 4 scores but there are 3 label names"
    with pytest.raises(LabelCountError, match=message):
        opened_stage(folder).read({"logits": bad})


def test_names_of_another_count_are_refused(folder: Path) -> None:
    message = "the engine returns 3 scores but there are 2 label names"
    with pytest.raises(LabelCountError, match=message):
        opened_stage(folder, NAMES[:2])


def test_parameters_of_another_version_are_refused(folder: Path) -> None:
    with pytest.raises(PipelineError, match="rebuild the pipeline"):
        PostprocessStage.open({"task": "seq_cls"}, folder / "1")
