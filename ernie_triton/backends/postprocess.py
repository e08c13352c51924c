"""Third stage: the engine's outputs to answers, by the decoder of the task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ernie_triton.arrays import Tensors
from ernie_triton.backends.stage import Stage
from ernie_triton.decoders import DECODERS
from ernie_triton.tasks import task_named


class TritonPythonModel(Stage[Any]):
    """Answers all requests of a batch at once."""

    def open(self, parameters: Mapping[str, str], folder: Path) -> None:
        """Make the task's decoder."""
        task = task_named(parameters.get("task", ""))
        self._decoder = DECODERS[task.name](parameters, folder)
        self.inputs = self._decoder.inputs

    def read(self, tensors: Tensors) -> Any:  # noqa: ANN401
        """Take one request's outputs of the engine."""
        return self._decoder.read(tensors)

    def run(self, items: Sequence[Any]) -> Sequence[Tensors]:
        """Answer a batch of requests."""
        return self._decoder.run(items)
