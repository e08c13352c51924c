"""A stage that passes its text on."""

from collections.abc import Mapping, Sequence
from typing import Any

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """As Triton's Python backend wants a model."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Nothing to prepare."""

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request with its own input."""
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
