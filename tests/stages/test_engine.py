"""The second stage gives each request its own logits, and refuses values outside its tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.arrays import Array, Tensors
from ernie_triton.build.model.models import trim_model
from ernie_triton.engines import load_engine
from ernie_triton.errors import EngineError
from ernie_triton.stages.engine import EngineStage
from ernie_triton.tasks import SEQ_CLS
from tests.engines.tiny_model import (
    POSITIONS,
    VOCABULARY,
    engine_settings,
    expected_logits,
    random_batch,
    random_model,
    rows_of,
    write_tiny_engine,
)
from tests.stages.calls import answers, assert_as_declared

MODEL = random_model()
PAD = MODEL.encoder.pad_token_id


@pytest.fixture(params=["packed", "padded"])
def stage(request: pytest.FixtureRequest, folder: Path) -> EngineStage:
    settings = engine_settings("onnxruntime", request.param, pair=True)
    write_tiny_engine(MODEL, settings, folder / "1")
    return EngineStage.open(settings.to_parameters(), folder / "1")


@pytest.fixture(params=["packed", "padded"])
def single_stage(request: pytest.FixtureRequest, folder: Path) -> EngineStage:
    """The stage of a pipeline of single texts, whose graph has no token types."""
    settings = dataclasses.replace(engine_settings("onnxruntime", request.param), token_types=0)
    single = trim_model(MODEL, max_length=POSITIONS, pair=False)
    write_tiny_engine(single, settings, folder / "1")
    return EngineStage.open(settings.to_parameters(), folder / "1")


def engine_request(lengths: Sequence[int], seed: int = 3) -> dict[str, Array]:
    """Random rows as the tokenizer sends them, padded to the longest."""
    rows = rows_of(random_batch(lengths, seed))
    ids, types = (np.zeros((len(rows), max(lengths)), np.int32) for _ in range(2))
    for row, (row_ids, row_types) in enumerate(rows):
        ids[row, : len(row_ids)], types[row, : len(row_types)] = row_ids, row_types
    return {"input_ids": ids, "token_type_ids": types}


def single_request(lengths: Sequence[int], seed: int = 3) -> dict[str, Array]:
    return {"input_ids": engine_request(lengths, seed)["input_ids"]}


def assert_logits(
    answer: Tensors, lengths: Sequence[int], seed: int = 3, *, single: bool = False
) -> None:
    assert_as_declared(answer, SEQ_CLS.engine_outputs, len(lengths))
    batch = random_batch(lengths, seed)
    if single:
        batch = dataclasses.replace(batch, token_type_ids=np.zeros_like(batch.input_ids))
    expected = expected_logits(MODEL, batch)
    np.testing.assert_allclose(answer["logits"], expected, atol=1e-5)


def assert_refused(stage: EngineStage, request: Tensors, message: str) -> None:
    """Alone, and in a batch, which has no answer then."""
    for batch in ([request], [engine_request([3]), request, engine_request([8, 2])]):
        with pytest.raises(EngineError, match=message):
            answers(stage, batch)


def test_requests_of_any_lengths_get_their_own_logits(stage: EngineStage) -> None:
    requests = [[5], [2, POSITIONS, 9], [POSITIONS], [3, 3]]
    made = answers(stage, [engine_request(lengths, seed) for seed, lengths in enumerate(requests)])
    for seed, (lengths, answer) in enumerate(zip(requests, made, strict=True)):
        assert_logits(answer, lengths, seed)


def test_the_tokens_of_each_request_are_counted_without_padding(stage: EngineStage) -> None:
    answers(stage, [engine_request([3]), engine_request([8, 2]), engine_request([5])])
    assert stage.token_counts() == [3, 10, 5]


def test_a_long_request_is_answered_after_the_short_ones_of_its_batch(stage: EngineStage) -> None:
    batch = [[5], [POSITIONS] * 9, [7]]
    requests = [engine_request(lengths) for lengths in batch]
    outputs = stage.run([stage.read(request) for request in requests])
    assert [isinstance(output, Future) for output in outputs] == [False, True, False]
    for lengths, answer in zip(batch, answers(stage, requests), strict=True):
        assert_logits(answer, lengths)


def test_a_stage_that_defers_nothing_has_every_answer_at_once(folder: Path) -> None:
    settings = engine_settings("onnxruntime", "packed", pair=True)
    write_tiny_engine(MODEL, settings, folder / "1")
    stage = EngineStage(load_engine(folder / "1", settings), defers=False)
    batch = [[5], [POSITIONS] * 9, [7]]
    outputs = stage.run([stage.read(engine_request(lengths)) for lengths in batch])
    for lengths, output in zip(batch, outputs, strict=True):
        assert not isinstance(output, Future)
        assert_logits(output, lengths)


def test_a_deferred_request_is_answered_before_the_stage_closes(stage: EngineStage) -> None:
    items = [stage.read(engine_request(lengths)) for lengths in ([5], [40] * 30)]
    _, later = stage.run(items)
    assert isinstance(later, Future)
    stage.close()
    assert later.done()
    assert_logits(later.result(), [40] * 30)


def test_single_texts_come_without_token_types_and_have_those_of_the_first(
    single_stage: EngineStage,
) -> None:
    assert single_stage.inputs == ("input_ids",)
    requests = [[5], [2, POSITIONS, 9], [3, 3]]
    made = answers(
        single_stage, [single_request(lengths, seed) for seed, lengths in enumerate(requests)]
    )
    for seed, (lengths, answer) in enumerate(zip(requests, made, strict=True)):
        assert_logits(answer, lengths, seed, single=True)


@pytest.mark.parametrize(
    ("tensor", "value", "message"),
    [
        ("input_ids", VOCABULARY, rf"input_ids: found \d+ to {VOCABULARY}; expected 0 to 59$"),
        ("input_ids", -1, rf"input_ids: found -1 to \d+; expected 0 to {VOCABULARY - 1}$"),
        ("input_ids", 2**31 - 1, r"input_ids: found \d+ to 2147483647; expected 0 to 59$"),
        ("input_ids", -(2**31), r"input_ids: found -2147483648 to \d+; expected 0 to 59$"),
        ("token_type_ids", 2, "token_type_ids: found 0 to 2; expected 0 to 1$"),
        ("token_type_ids", -1, "token_type_ids: found -1 to 1; expected 0 to 1$"),
    ],
)
def test_a_value_out_of_range_is_refused(
    tensor: str, value: int, message: str, stage: EngineStage
) -> None:
    bad = engine_request([6, 4])
    bad[tensor][0, 0] = value
    assert_refused(stage, bad, message)


@pytest.mark.parametrize(
    ("width", "kept", "message"),
    [
        (6, 0, "the tokens of a row: found 0 to [48]; expected 2 to 40$"),
        (6, 1, "the tokens of a row: found 1 to [48]; expected 2 to 40$"),
        (POSITIONS + 1, POSITIONS + 1, "the tokens of a row: found [24] to 41; expected 2 to 40$"),
    ],
)
def test_a_row_of_too_few_or_too_many_tokens_is_refused(
    width: int, kept: int, message: str, stage: EngineStage
) -> None:
    bad = engine_request([width, 4])
    bad["input_ids"][0, kept:] = PAD
    assert_refused(stage, bad, message)


@pytest.mark.parametrize("width", [0, 1])
def test_an_empty_row_never_reaches_the_engine(width: int, stage: EngineStage) -> None:
    empty = {
        "input_ids": np.ones((1, width), np.int32),
        "token_type_ids": np.zeros((1, width), np.int32),
    }
    assert_refused(stage, empty, f"the tokens of a row: found {width} to [0-8]; expected 2 to 40$")


def test_rows_longer_than_the_model_takes_are_refused(stage: EngineStage) -> None:
    assert_refused(stage, engine_request([POSITIONS + 1]), f"expected 2 to {POSITIONS}")


def test_token_types_of_another_shape_are_refused(stage: EngineStage) -> None:
    request = engine_request([6])
    request["token_type_ids"] = request["token_type_ids"][:, :5].copy()
    message = r"token_type_ids has the shape \[1, 5\] but input_ids \[1, 6\]"
    with pytest.raises(EngineError, match=message):
        stage.read(request)


def test_padding_past_a_row_and_its_types_do_not_matter(stage: EngineStage) -> None:
    request = {
        name: np.pad(values, ((0, 0), (0, 5)), constant_values=PAD)
        for name, values in engine_request([9, 4]).items()
    }
    request["token_type_ids"][0, 9:] = request["token_type_ids"][1, 4:] = 17
    assert_logits(stage.answer(request), [9, 4])


def test_rows_with_padding_inside_keep_their_answers_beside_others(stage: EngineStage) -> None:
    request = engine_request([9, 4])
    request["input_ids"][:, 2] = PAD
    alone = [
        stage.answer({name: values[[row], :length] for name, values in request.items()})
        for row, length in enumerate((9, 4))
    ]
    together = answers(stage, [engine_request([12, 3]), request])[1]["logits"]
    for row, answer in enumerate(alone):
        np.testing.assert_allclose(together[row], answer["logits"][0], atol=1e-5)
    whole = stage.answer(engine_request([9, 4]))["logits"]
    assert (np.abs(whole - together).max(axis=1) > 0.01).all()


def test_a_missing_engine_is_named_with_its_path(folder: Path) -> None:
    with pytest.raises(EngineError, match=r"1/model\.xml is missing"):
        EngineStage.open(engine_settings().to_parameters(), folder / "1")
