"""The second stage in our Python backend, in Triton."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import triton_python_backend_utils as pb_utils

from ernie_triton.backends.triton_model import StageModel
from ernie_triton.backends.waiting import TakenRequests, mark_of, parameter_of, taken_requests
from ernie_triton.stages.engine import EngineStage
from ernie_triton.tasks import INPUT_IDS


class TritonPythonModel(StageModel):
    """Runs `EngineStage`, and tells the tokenizer which requests it has taken."""

    stage_type = EngineStage
    has_engine = True
    _taken: TakenRequests | None = None

    def initialize(self, args: Mapping[str, str]) -> None:
        """Called once by Triton when the model is loaded."""
        super().initialize(args)
        if parameter_of(args, "tells_taken") == "true":
            self._taken = taken_requests(args["model_name"], "engine", os.environ)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Tell which requests are taken, and run them."""
        if self._taken is not None:
            last = requests[-1]
            ids = pb_utils.get_input_tensor_by_name(last, INPUT_IDS.name).as_numpy()
            self._taken.add(len(requests), mark_of(last.request_id(), ids))
        return super().execute(requests)
