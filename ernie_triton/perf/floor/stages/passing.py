"""Pass the text on, at once or after a pause: a stage of the floor."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """A model of Triton's Python backend."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Read the pause."""
        parameters = json.loads(args["model_config"]).get("parameters", {})
        self._pause_s = float(parameters.get("pause_us", {}).get("string_value", 0)) / 1e6

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request with its own input."""
        end = time.perf_counter() + self._pause_s
        while time.perf_counter() < end:
            pass  # Keep the core busy, as an engine does.
        return [
            pb_utils.InferenceResponse(
                [
                    pb_utils.Tensor(
                        "passed", pb_utils.get_input_tensor_by_name(request, "text").as_numpy()
                    )
                ]
            )
            for request in requests
        ]
