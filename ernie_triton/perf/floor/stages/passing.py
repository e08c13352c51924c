"""Pass the text on: a stage of the floor."""

from collections.abc import Sequence
from typing import Any

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """A model of Triton's Python backend."""

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
