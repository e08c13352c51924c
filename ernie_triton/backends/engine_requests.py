"""Requests of a stage to the engine's stage, through the server (business logic scripting)."""

import numpy as np
import triton_python_backend_utils as pb_utils

from ernie_triton.arrays import Tensors
from ernie_triton.tasks import Task


class EngineRequests:
    """Asks a pipeline's engine, whatever runs it; from any number of threads."""

    def __init__(self, model: str, task: Task) -> None:
        """Name the engine.

        Args:
            model: the name of its model, as the server has it.
            task: what it is for.
        """
        self._model = model
        self._outputs = [tensor.name for tensor in task.engine_outputs]
        # Triton's own engines may leave outputs on a GPU otherwise.
        self._memory = pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0)

    def __call__(self, tensors: Tensors) -> Tensors:
        """The engine's outputs for rows of tokens.

        Raises:
            EngineAnswerError: the engine gives none.
        """
        inputs = [
            pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in tensors.items()
        ]
        request = pb_utils.InferenceRequest(
            model_name=self._model,
            requested_output_names=self._outputs,
            inputs=inputs,
            preferred_memory=self._memory,
        )
        response = request.exec()
        if response.has_error():
            raise EngineAnswerError(response.error().message())
        return {
            name: pb_utils.get_output_tensor_by_name(response, name).as_numpy()
            for name in self._outputs
        }


class EngineAnswerError(Exception):
    """The engine's stage has no answer; no fault of the request."""
