"""The second stage gives each request its own logits; what would read outside tables is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ernie_triton.tasks import SEQ_CLS
from tests.ernie_triton import fake_triton
from tests.ernie_triton.backends.calls import (
    Array,
    assert_as_declared,
    assert_matches,
    execute,
    opened,
    refusal,
)
from tests.ernie_triton.fake_triton import InferenceResponse, TritonError
from tests.ernie_triton.tiny_model import (
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


@pytest.fixture(params=["packed", "padded"])
def stage(request: pytest.FixtureRequest, folder: Path) -> Stage[Any]:
    from ernie_triton.backends.engine import TritonPythonModel

    settings = engine_settings("onnxruntime", request.param)
    write_tiny_engine(MODEL, settings, folder / "1")
    return opened(TritonPythonModel(), settings, folder)


def engine_request(lengths: Sequence[int], seed: int = 3) -> dict[str, Array]:
    """Random rows as the tokenizer sends them, padded to the longest."""
    rows = rows_of(random_batch(lengths, seed))
    ids, types = (np.zeros((len(rows), max(lengths)), np.int32) for _ in range(2))
    for row, (row_ids, row_types) in enumerate(rows):
        ids[row, : len(row_ids)], types[row, : len(row_types)] = row_ids, row_types
    column = np.array(lengths, np.int32)[:, None]
    return {"input_ids": ids, "token_type_ids": types, "lengths": column}


def assert_logits(response: InferenceResponse, lengths: Sequence[int], seed: int = 3) -> None:
    assert_as_declared(response, SEQ_CLS.engine_outputs, len(lengths))
    expected = expected_logits(MODEL, random_batch(lengths, seed))
    np.testing.assert_allclose(response.tensors()["logits"], expected, atol=1e-5)


def test_requests_of_any_lengths_get_their_own_logits(stage: Stage[Any]) -> None:
    requests = [[5], [2, POSITIONS, 9], [POSITIONS], [3, 3]]
    responses = execute(
        stage, [engine_request(lengths, seed) for seed, lengths in enumerate(requests)]
    )
    for seed, (lengths, response) in enumerate(zip(requests, responses, strict=True)):
        assert_logits(response, lengths, seed)


@pytest.mark.parametrize(
    ("tensor", "value", "message"),
    [
        ("input_ids", VOCABULARY, f"input_ids has values from .* to {VOCABULARY}; expected 0"),
        (
            "input_ids",
            -1,
            f"input_ids has values from -1 to .*; expected 0 to {VOCABULARY - 1}",
        ),
        ("input_ids", 2**31 - 1, "input_ids has values"),
        ("token_type_ids", 2, "token_type_ids has values from 0 to 2; expected 0 to 1"),
        ("token_type_ids", -1, "token_type_ids has values from -1"),
        ("lengths", 0, "lengths has values from 0 to 4; expected 2 to 6"),
        ("lengths", 1, "lengths has values from 1 to 4; expected 2 to 6"),
        ("lengths", 7, "lengths has values from 4 to 7; expected 2 to 6"),
        ("lengths", -(2**31), "lengths has values from -2147483648"),
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


@pytest.mark.parametrize("width", [0, 1])
def test_an_empty_row_never_reaches_the_engine(width: int, stage: Stage[Any]) -> None:
    empty = {
        "input_ids": np.ones((1, width), np.int32),
        "token_type_ids": np.zeros((1, width), np.int32),
        "lengths": np.array([[width]], np.int32),
    }
    good, refused = execute(stage, [engine_request([3]), empty])
    assert_logits(good, [3])
    assert refusal(refused)[0] == TritonError.INVALID_ARG


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


def test_what_stands_past_a_rows_length_does_not_matter(stage: Stage[Any]) -> None:
    request = engine_request([9, 4])
    request["input_ids"][1, 4:] = 17
    (response,) = execute(stage, [request])
    assert_logits(response, [9, 4])


def test_a_missing_engine_fails_the_loading_with_its_path(folder: Path) -> None:
    from ernie_triton.backends.engine import TritonPythonModel

    with pytest.raises(fake_triton.TritonModelException, match=r"1/model\.xml is missing"):
        opened(TritonPythonModel(), engine_settings(), folder)
