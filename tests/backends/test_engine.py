"""The second stage gives each request its own logits; what would read outside tables is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ernie_triton.build.model.models import trim_model
from ernie_triton.tasks import SEQ_CLS
from tests.backends import fake_triton
from tests.backends.calls import Array, assert_as_declared, assert_matches, execute, opened, refusal
from tests.backends.fake_triton import InferenceRequest, InferenceResponse, TritonError
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

if TYPE_CHECKING:
    from ernie_triton.backends.stage import Stage

MODEL = random_model()
PAD = MODEL.encoder.pad_token_id


@pytest.fixture(params=["packed", "padded"])
def stage(request: pytest.FixtureRequest, folder: Path) -> Stage[Any]:
    from ernie_triton.backends.engine import TritonPythonModel

    settings = engine_settings("onnxruntime", request.param, pair=True)
    write_tiny_engine(MODEL, settings, folder / "1")
    return opened(TritonPythonModel(), settings, folder)


@pytest.fixture(params=["packed", "padded"])
def single_stage(request: pytest.FixtureRequest, folder: Path) -> Stage[Any]:
    """The stage of a pipeline of single texts, whose graph has no token types."""
    from ernie_triton.backends.engine import TritonPythonModel

    settings = dataclasses.replace(engine_settings("onnxruntime", request.param), token_types=0)
    single = trim_model(MODEL, max_length=POSITIONS, pair=False)
    write_tiny_engine(single, settings, folder / "1")
    return opened(TritonPythonModel(), settings, folder)


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
    response: InferenceResponse, lengths: Sequence[int], seed: int = 3, *, single: bool = False
) -> None:
    assert_as_declared(response, SEQ_CLS.engine_outputs, len(lengths))
    batch = random_batch(lengths, seed)
    if single:
        batch = dataclasses.replace(batch, token_type_ids=np.zeros_like(batch.input_ids))
    expected = expected_logits(MODEL, batch)
    np.testing.assert_allclose(response.tensors()["logits"], expected, atol=1e-5)


def test_requests_of_any_lengths_get_their_own_logits(stage: Stage[Any]) -> None:
    requests = [[5], [2, POSITIONS, 9], [POSITIONS], [3, 3]]
    responses = execute(
        stage, [engine_request(lengths, seed) for seed, lengths in enumerate(requests)]
    )
    for seed, (lengths, response) in enumerate(zip(requests, responses, strict=True)):
        assert_logits(response, lengths, seed)


def test_a_long_request_is_answered_after_the_short_ones_of_its_batch(stage: Stage[Any]) -> None:
    long = [POSITIONS] * 9
    requests = [engine_request(lengths) for lengths in ([5], long, [7])]
    returned = stage.execute([InferenceRequest(tensors) for tensors in requests])
    assert [response is None for response in returned] == [False, True, False]
    for lengths, response in zip(([5], long, [7]), execute(stage, requests), strict=True):
        assert_logits(response, lengths)


def test_what_was_deferred_is_answered_before_the_model_goes(stage: Stage[Any]) -> None:
    batch = [InferenceRequest(engine_request([5])), InferenceRequest(engine_request([40] * 30))]
    assert stage.execute(batch)[1] is None
    stage.finalize()
    assert_logits(batch[1].get_response_sender().sent.get_nowait(), [40] * 30)


def test_single_texts_come_without_token_types_and_have_those_of_the_first(
    single_stage: Stage[Any],
) -> None:
    assert single_stage.inputs == ("input_ids",)
    requests = [[5], [2, POSITIONS, 9], [3, 3]]
    responses = execute(
        single_stage, [single_request(lengths, seed) for seed, lengths in enumerate(requests)]
    )
    for seed, (lengths, response) in enumerate(zip(requests, responses, strict=True)):
        assert_logits(response, lengths, seed, single=True)


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
def test_a_value_out_of_range_spoils_its_own_request_alone(
    tensor: str, value: int, message: str, stage: Stage[Any]
) -> None:
    bad = engine_request([6, 4])
    bad[tensor][0, 0] = value
    first, refused, last = execute(stage, [engine_request([3]), bad, engine_request([8, 2])])
    assert_logits(first, [3])
    assert_logits(last, [8, 2])
    code, text = refusal(refused)
    assert code == TritonError.INVALID_ARG
    assert_matches(message, text)


@pytest.mark.parametrize(
    ("width", "kept", "message"),
    [
        (6, 0, "the tokens of a row: found 0 to 4; expected 2 to 40$"),
        (6, 1, "the tokens of a row: found 1 to 4; expected 2 to 40$"),
        (POSITIONS + 1, POSITIONS + 1, "the tokens of a row: found 4 to 41; expected 2 to 40$"),
    ],
)
def test_a_row_of_too_few_or_too_many_tokens_spoils_its_own_request_alone(
    width: int, kept: int, message: str, stage: Stage[Any]
) -> None:
    bad = engine_request([width, 4])
    bad["input_ids"][0, kept:] = PAD
    first, refused, last = execute(stage, [engine_request([3]), bad, engine_request([8, 2])])
    assert_logits(first, [3])
    assert_logits(last, [8, 2])
    code, text = refusal(refused)
    assert code == TritonError.INVALID_ARG
    assert_matches(message, text)


def test_each_request_at_fault_is_told_its_own_fault(single_stage: Stage[Any]) -> None:
    unknown, empty = single_request([6]), single_request([4, 3])
    unknown["input_ids"][0, 1] = VOCABULARY + 7
    empty["input_ids"][:] = PAD
    first, good, second = execute(single_stage, [unknown, single_request([9]), empty])
    assert_logits(good, [9], single=True)
    assert_matches(r"input_ids: found \d+ to 67; expected 0 to 59$", refusal(first)[1])
    assert_matches("the tokens of a row: found 0 to 0; expected 2 to 40$", refusal(second)[1])


@pytest.mark.parametrize("width", [0, 1])
def test_an_empty_row_never_reaches_the_engine(width: int, stage: Stage[Any]) -> None:
    empty = {
        "input_ids": np.ones((1, width), np.int32),
        "token_type_ids": np.zeros((1, width), np.int32),
    }
    good, refused = execute(stage, [engine_request([3]), empty])
    assert_logits(good, [3])
    code, text = refusal(refused)
    assert code == TritonError.INVALID_ARG
    assert_matches(f"the tokens of a row: found {width} to {width}; expected 2 to 40$", text)


def test_rows_longer_than_the_model_takes_are_refused(stage: Stage[Any]) -> None:
    (refused,) = execute(stage, [engine_request([POSITIONS + 1])])
    assert_matches(f"expected 2 to {POSITIONS}", refusal(refused)[1])


def test_token_types_of_another_shape_are_refused(stage: Stage[Any]) -> None:
    request = engine_request([6])
    request["token_type_ids"] = request["token_type_ids"][:, :5].copy()
    (refused,) = execute(stage, [request])
    assert_matches(
        r"token_type_ids has the shape \[1, 5\] but input_ids \[1, 6\]", refusal(refused)[1]
    )


def test_padding_past_a_row_and_its_types_do_not_matter(stage: Stage[Any]) -> None:
    request = {
        name: np.pad(values, ((0, 0), (0, 5)), constant_values=PAD)
        for name, values in engine_request([9, 4]).items()
    }
    request["token_type_ids"][0, 9:] = request["token_type_ids"][1, 4:] = 17
    (response,) = execute(stage, [request])
    assert_logits(response, [9, 4])


def test_rows_with_padding_inside_keep_their_answers_in_company(stage: Stage[Any]) -> None:
    request = engine_request([9, 4])
    request["input_ids"][:, 2] = PAD
    alone = [
        execute(stage, [{name: values[[row], :length] for name, values in request.items()}])
        for row, length in enumerate((9, 4))
    ]
    together = execute(stage, [engine_request([12, 3]), request])[1].tensors()["logits"]
    for row, (response,) in enumerate(alone):
        np.testing.assert_allclose(together[row], response.tensors()["logits"][0], atol=1e-5)
    whole = execute(stage, [engine_request([9, 4])])[0].tensors()["logits"]
    assert (np.abs(whole - together).max(axis=1) > 0.01).all()


def test_a_missing_engine_fails_the_loading_with_its_path(folder: Path) -> None:
    from ernie_triton.backends.engine import TritonPythonModel

    with pytest.raises(fake_triton.TritonModelException, match=r"1/model\.xml is missing"):
        opened(TritonPythonModel(), engine_settings(), folder)
