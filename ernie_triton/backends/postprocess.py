"""Third stage: the engine's outputs to answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ernie_triton.backends.stage import Stage, Tensors
from ernie_triton.decode import check_label_count, load_labels, score_labels
from ernie_triton.pipeline import PostprocessSettings
from ernie_triton.tasks import task_named

LABELS_FILE = "labels.txt"


class TritonPythonModel(Stage[npt.NDArray[np.float32]]):
    """Decides the labels of all texts of a batch of requests at once."""

    def open(self, parameters: Mapping[str, str], folder: Path) -> None:
        """Load the label names.

        Raises:
            LabelCountError: they are not one for each score of the engine.
        """
        settings = PostprocessSettings.from_parameters(parameters)
        task = task_named(settings.task)
        self.inputs = tuple(spec.name for spec in task.engine_outputs)
        self._labels = load_labels(folder.parent / LABELS_FILE)
        check_label_count(self._labels, settings.labels, "the engine")
        self._names = np.array([name.encode() for name in self._labels], dtype=np.object_)

    def read(self, tensors: Tensors) -> npt.NDArray[np.float32]:
        """Take the logits.

        Raises:
            LabelCountError: they are not one for each label.
        """
        (logits,) = tensors.values()
        check_label_count(self._labels, logits.shape[-1], "the engine")
        return logits

    def run(self, items: Sequence[npt.NDArray[np.float32]]) -> list[Tensors]:
        """Score the labels; the columns of single values are [rows, 1]."""
        decided = score_labels(np.concatenate(items))
        names = self._names[decided.label]
        answers: list[Tensors] = []
        start = 0
        for logits in items:
            rows = slice(start, start + len(logits))
            answers.append(
                {
                    "label": decided.label[rows, None],
                    "confidence": decided.confidence[rows, None],
                    "label_name": names[rows, None],
                    "scores": decided.scores[rows],
                }
            )
            start = rows.stop
        return answers
