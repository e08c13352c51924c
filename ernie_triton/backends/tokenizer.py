"""The first stage, in Triton."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import triton_python_backend_utils as pb_utils

from ernie_triton.backends.triton_model import StageModel
from ernie_triton.backends.waiting import WaitingRequests, mark_of, parameter_of, taken_requests
from ernie_triton.stages.opening import TOKENIZER_OF_TASK
from ernie_triton.tasks import INPUT_IDS


class TritonPythonModel(StageModel):
    """Runs a task's first stage, and refuses requests while too many wait for the engine."""

    stage_type = TOKENIZER_OF_TASK

    def initialize(self, args: Mapping[str, str]) -> None:
        """Called once by Triton when the model is loaded."""
        super().initialize(args)
        self._waiting: WaitingRequests | None = None
        if most := int(parameter_of(args, "max_waiting") or 0):
            taken = taken_requests(args["model_name"], "tokenizer", os.environ)
            self._waiting = WaitingRequests(taken, most)
        # The warm-up comes first, and its requests do not go on to the engine.
        self._warm_ups = len(json.loads(args["model_config"]).get("model_warmup", ()))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer the requests that may wait for the engine; refuse the others at once."""
        if self._waiting is None or self._warm_ups > 0:
            self._warm_ups -= len(requests)
            return super().execute(requests)
        admitted = requests[: self._waiting.room()]
        responses = super().execute(admitted)
        for request, response in zip(admitted, responses, strict=True):
            for tensor in [] if response.error() else response.output_tensors():
                if tensor.name() == INPUT_IDS.name:
                    self._waiting.pass_on(mark_of(request.request_id(), tensor.as_numpy()))
        refused = len(requests) - len(admitted)
        return [*responses, *(_full(self._waiting.most) for _ in range(refused))]


def _full(most: int) -> Any:  # noqa: ANN401
    # One error for each response: Triton 2.51 crashes where two share one.
    message = f"Exceeds maximum queue size: {most} requests wait for the engine"
    error = pb_utils.TritonError(message, pb_utils.TritonError.UNAVAILABLE)
    return pb_utils.InferenceResponse(error=error)
