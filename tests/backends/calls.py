"""Calls of a stage as Triton makes them, and what is asked of every answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ernie_triton.settings import StageSettings
from ernie_triton.tasks import TensorSpec
from tests.backends import fake_triton
from tests.backends.fake_triton import InferenceRequest, InferenceResponse
from tests.engines.tiny_model import LABELS

if TYPE_CHECKING:
    from ernie_triton.backends.stage import Stage

Array = npt.NDArray[Any]
ANSWER_S = 20.0
"""How long an answer that is sent later may take."""


def texts(*values: str | bytes) -> Array:
    """A column of texts as Triton hands it over."""
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return np.array(encoded, dtype=np.object_)[:, None]


def opened(stage: Stage[Any], settings: StageSettings, model_folder: Path) -> Stage[Any]:
    """The stage as Triton initialises it for version 1."""
    parameters = {name: {"string_value": value} for name, value in settings.to_parameters().items()}
    stage.initialize(
        {
            "model_config": json.dumps({"parameters": parameters}),
            "model_repository": str(model_folder),
            "model_version": "1",
        }
    )
    return stage


def execute(stage: Stage[Any], requests: Sequence[Mapping[str, Array]]) -> list[InferenceResponse]:
    """The responses to a batch, those that are sent later included."""
    batch = [InferenceRequest(tensors) for tensors in requests]
    returned = stage.execute(batch)
    assert len(returned) == len(requests)
    for request in batch:
        request.forget()
    return [
        request.get_response_sender().sent.get(timeout=ANSWER_S) if response is None else response
        for request, response in zip(batch, returned, strict=True)
    ]


def refusal(response: InferenceResponse) -> tuple[int, str]:
    error = response.error()
    assert error is not None
    return error.code(), error.message()


def assert_as_declared(response: InferenceResponse, specs: Sequence[TensorSpec], rows: int) -> None:
    """Names, types and shapes of an answer are those of the contract."""
    tensors = response.tensors()
    assert set(tensors) == {spec.name for spec in specs}
    for spec in specs:
        array = tensors[spec.name]
        assert fake_triton.TYPE_NAMES[array.dtype.name] == spec.dtype
        dims = spec.resolved({"labels": LABELS})
        assert array.shape == (
            rows,
            *(
                found if dim == -1 else dim
                for dim, found in zip(dims, array.shape[1:], strict=True)
            ),
        )


def assert_matches(pattern: str, text: str) -> None:
    assert re.search(pattern, text), text
