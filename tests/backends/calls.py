"""Calls of a model as Triton makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.arrays import Array
from tests.backends.fake_triton import InferenceRequest, InferenceResponse
from tests.stages.calls import ANSWER_S

if TYPE_CHECKING:
    from ernie_triton.backends.triton_model import StageModel


def initialized(model: StageModel, parameters: Mapping[str, str], folder: Path) -> StageModel:
    """The model as Triton initialises it for version 1."""
    config = {"parameters": {name: {"string_value": text} for name, text in parameters.items()}}
    model.initialize(
        {
            "model_config": json.dumps(config),
            "model_repository": str(folder),
            "model_version": "1",
        }
    )
    return model


def execute(model: StageModel, requests: Sequence[Mapping[str, Array]]) -> list[InferenceResponse]:
    """The responses to a batch, those that are sent later included."""
    batch = [InferenceRequest(tensors) for tensors in requests]
    returned = model.execute(batch)
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
