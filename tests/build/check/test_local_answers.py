"""The parts of a pipeline answer in this process as the server's stages do."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.build.check.local_answers import LocalAnswers, PipelineParts
from ernie_triton.build.check.stage_answers import classification
from ernie_triton.build.config import ModelSizes
from ernie_triton.client.wire import InferRequest, RequestedOutput
from ernie_triton.errors import RequestRefusedError
from ernie_triton.pipeline import Answering, Batching, PipelineSpec
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.build.check.test_exactness import GivenScores, engine
from tests.build.models import vocabulary_lines, write_vocabulary

LABELS = ("体育", "财经")


def parts(folder: Path, task: str, **more: object) -> PipelineParts:
    spec = PipelineSpec(
        checkpoint=folder,
        task=task,
        repository=folder,
        max_length=8,
        **more,  # type: ignore[arg-type]
    )
    vocabulary = load_vocabulary(write_vocabulary(folder / "vocab.txt", vocabulary_lines()))
    encoder = TextEncoder(vocabulary, max_length=8, lower_case=True)
    sizes = ModelSizes(
        labels=LABELS,
        hidden=4,
        lower_case=True,
        pad_token_id=0,
        vocabulary_size=60,
        token_types=1,
    )
    return PipelineParts(spec, sizes, encoder)


def local_answers(parts: PipelineParts, table: Mapping[int, list[float]]) -> LocalAnswers:
    """Answers of an engine that scores a row by its length."""
    made = engine(GivenScores(table))
    settings = dataclasses.replace(made.settings, pair=parts.spec.pair, task=parts.spec.task)
    return LocalAnswers(parts, dataclasses.replace(made, settings=settings))


def request(texts: list[str], *outputs: RequestedOutput) -> InferRequest:
    return InferRequest(columns={"text": [text.encode() for text in texts]}, outputs=outputs)


def test_a_classification_is_tritons_best_first_and_ties_in_order() -> None:
    scores = np.array([[0.25, 0.5, 0.25], [0.1234567, 0.0, 0.8]], np.float32)
    found = classification(scores, ("a", "b:c", "d"), 2)
    assert found.tolist() == [
        [b"0.500000:1:b:c", b"0.250000:0:a"],
        [b"0.800000:2:d", b"0.123457:0:a"],
    ]


def test_texts_are_answered_with_names_and_what_was_cut(tmp_path: Path) -> None:
    table = {3: [2.0, 0.0], 8: [0.0, 3.0]}
    answers = local_answers(parts(tmp_path, "seq_cls"), table)
    outputs = [RequestedOutput(name=name) for name in ("label_name", "truncated")]
    best = RequestedOutput(name="scores", class_count=1)
    reply = answers.infer(request(["1", "1 2 3 4 1 2 3 4"], *outputs, best), 1.0)
    assert [name.decode() for name in reply["label_name"].ravel()] == ["体育", "财经"]
    assert reply["truncated"].ravel().tolist() == [False, True]
    assert reply["scores"].shape == (2, 1)
    assert reply["scores"][1, 0].decode().endswith(":1:财经")


def test_the_facts_are_those_of_the_ensemble(tmp_path: Path) -> None:
    pair = parts(tmp_path, "seq_cls", pair=True, batching=Batching(max_batch_size=4))
    facts = local_answers(pair, {}).facts(1.0)
    assert facts.max_batch_size == 4
    assert facts.inputs == ("text", "text_pair")
    assert facts.outputs["scores"] == (2,)
    assert set(facts.outputs) == {"label", "confidence", "label_name", "scores", "truncated"}


def test_a_request_that_a_stage_refuses_is_refused(tmp_path: Path) -> None:
    few = parts(tmp_path, "token_cls", answering=Answering(max_windows=2))
    answers = local_answers(few, {})
    with pytest.raises(RequestRefusedError, match="windows of 8 tokens; at most 2 are allowed"):
        answers.infer(request(["1 2 " * 20], RequestedOutput(name="OUTPUT")), 1.0)


def test_thresholds_are_the_multi_label_decoders(tmp_path: Path) -> None:
    answering = Answering(thresholds={"default": 0.4, "财经": 0.7})
    assert parts(tmp_path, "multi_label", answering=answering).thresholds == (0.4, 0.7)
    assert parts(tmp_path, "seq_cls").thresholds == ()
