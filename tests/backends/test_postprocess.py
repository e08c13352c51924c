"""The third stage gives each request its own labels, with the types of the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.tasks import SEQ_CLS
from tests.backends import fake_triton
from tests.backends.calls import assert_as_declared, assert_matches, execute, opened, refusal
from tests.backends.fake_triton import TritonError
from tests.engines.tiny_model import LABELS

if TYPE_CHECKING:
    from ernie_triton.backends.stage import Stage

NAMES = ("体育", "财经", "news_world")
SETTINGS = LabelSettings(task="seq_cls", labels=LABELS, thresholds=())


def opened_stage(folder: Path, names: Sequence[str] = NAMES) -> Stage[Any]:
    from ernie_triton.backends.postprocess import TritonPythonModel

    content = "".join(f"{name}\n" for name in names)
    (folder / "labels.txt").write_text(content, encoding="utf-8")
    return opened(TritonPythonModel(), SETTINGS, folder)


def test_requests_of_one_batch_get_their_own_answers(folder: Path) -> None:
    # Logarithms of weights that sum to 8, so that probabilities can be read off.
    requests: list[list[list[float]]] = [[[5, 2, 1]], [[1, 1, 6], [2, 4, 2]], [[7, 0.5, 0.5]]]
    stage = opened_stage(folder)
    logits = [np.log(np.array(rows, np.float32)) for rows in requests]
    responses = execute(stage, [{"logits": values} for values in logits])
    for weights, response in zip(requests, responses, strict=True):
        assert_as_declared(response, SEQ_CLS.results, len(weights))
        answer = response.tensors()
        np.testing.assert_allclose(answer["scores"], np.array(weights) / 8, rtol=1e-5)
        best = [row.index(max(row)) for row in weights]
        assert answer["label"].tolist() == [[label] for label in best]
        assert answer["label_name"].tolist() == [[NAMES[label].encode()] for label in best]
        np.testing.assert_allclose(
            answer["confidence"], [[max(row) / 8] for row in weights], rtol=1e-5
        )


def test_logits_of_another_count_spoil_their_own_request_alone(folder: Path) -> None:
    good, bad = (np.zeros((1, labels), np.float32) for labels in (LABELS, LABELS + 1))
    first, refused = execute(opened_stage(folder), [{"logits": good}, {"logits": bad}])
    assert_as_declared(first, SEQ_CLS.results, 1)
    code, message = refusal(refused)
    assert code == TritonError.INVALID_ARG
    assert_matches("the engine returns 4 scores but there are 3 label names", message)


def test_names_of_another_count_fail_the_loading(folder: Path) -> None:
    message = "the engine returns 3 scores but there are 2 label names"
    with pytest.raises(fake_triton.TritonModelException, match=message):
        opened_stage(folder, NAMES[:2])


def test_parameters_of_another_version_fail_the_loading(folder: Path) -> None:
    from ernie_triton.backends.postprocess import TritonPythonModel

    config = {"parameters": {"task": {"string_value": "seq_cls"}}}
    arguments = {
        "model_config": json.dumps(config),
        "model_repository": str(folder),
        "model_version": "1",
    }
    with pytest.raises(fake_triton.TritonModelException, match="rebuild the pipeline"):
        TritonPythonModel().initialize(arguments)
