"""Third stage: the engine's outputs to answers, by the decoder of the task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ernie_triton.arrays import Tensors
from ernie_triton.decoders import DECODERS
from ernie_triton.decoders.labels import LABELS_FILE, load_labels
from ernie_triton.stages.stage import Stage
from ernie_triton.tasks import task_named


class PostprocessStage(Stage[Any]):
    """Answers all requests of a batch at once."""

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:
        """Make the task's decoder.

        Args:
            parameters: of the stage's configuration.
            labels: names in the order of the engine's scores; empty for tasks without labels.

        Raises:
            PipelineError: a parameter is missing or wrong.
            LabelCountError: the names are not one for each score.
        """
        task = task_named(parameters.get("task", ""))
        self._decoder = DECODERS[task.name](parameters, labels)
        self.inputs = self._decoder.inputs

    @classmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> "PostprocessStage":
        """Read the label names beside a version's folder, where the task has labels.

        Raises:
            PipelineError: a parameter is missing or wrong.
            LabelCountError: the names cannot be read, or are not one for each score.
        """
        labels = load_labels(folder.parent / LABELS_FILE) if "labels" in parameters else ()
        return cls(parameters, labels)

    def read(self, tensors: Tensors) -> Any:  # noqa: ANN401
        """Take one request's outputs of the engine."""
        return self._decoder.read(tensors)

    def run(self, items: Sequence[Any]) -> Sequence[Tensors]:
        """Answer a batch of requests."""
        return self._decoder.run(items)
