"""Third stage: the engine's outputs to answers, by the decoder of the task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ernie_triton.arrays import Tensors
from ernie_triton.decoders import DECODERS
from ernie_triton.decoders.labels import LABELS_FILE, load_labels
from ernie_triton.errors import NotFiniteError
from ernie_triton.stages.stage import Stage
from ernie_triton.tasks import NO_SPAN, WINDOW_TENSORS, task_named
from ernie_triton.tokenizer.rules import TokenRules
from ernie_triton.tokenizer.vocabulary import stage_vocabulary

_SPANS, _WINDOW = (tensor.name for tensor in WINDOW_TENSORS[:2])


class PostprocessStage(Stage[Any]):
    """Answers all requests of a batch at once."""

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:
        """Make the task's decoder.

        Args:
            parameters: of the stage's configuration.
            labels: names in the order of the engine's scores: labels, or the vocabulary's tokens;
                empty for tasks without.

        Raises:
            PipelineError: a parameter is missing or wrong.
            LabelCountError: the names are not one for each score.
        """
        task = task_named(parameters.get("task", ""))
        self._decoder = DECODERS[task.name](parameters, labels)
        self._outputs = tuple(tensor.name for tensor in task.engine_outputs)
        self.inputs = self._decoder.inputs

    @classmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> "PostprocessStage":
        """Read the label names beside a version's folder, or the vocabulary in it.

        Raises:
            PipelineError: a parameter is missing or wrong.
            LabelCountError: the names cannot be read, or are not one for each score.
            VocabularyError: the vocabulary is missing or damaged.
        """
        if task_named(parameters.get("task", "")).head == "masked":
            rules = TokenRules.from_text(parameters.get("rules", ""))
            return cls(parameters, stage_vocabulary(folder, rules).names())
        labels = load_labels(folder.parent / LABELS_FILE) if "labels" in parameters else ()
        return cls(parameters, labels)

    def read(self, tensors: Tensors) -> Any:  # noqa: ANN401
        """Take one request's outputs of the engine.

        Raises:
            NotFiniteError: an output of one of its texts is NaN or infinite.
        """
        for name in self._outputs:
            _check_finite(name, tensors)
        return self._decoder.read(tensors)

    def run(self, items: Sequence[Any]) -> Sequence[Tensors]:
        """Answer a batch of requests."""
        return self._decoder.run(items)


def _check_finite(name: str, tensors: Tensors) -> None:
    """Refuse an output that is not a number; the padding of windows may hold anything."""
    values = tensors[name]
    if np.isfinite(values).all():
        return
    is_bad = ~np.isfinite(values.reshape(*values.shape[:2], -1)).all(axis=-1)
    if _SPANS in tensors:
        is_token = tensors[_SPANS][..., 0] != NO_SPAN
        is_token[:, 0] = True
        is_bad &= is_token
    rows = np.flatnonzero(is_bad.any(axis=-1))
    if len(rows):
        text = int(tensors[_WINDOW][rows[0], 0]) if _WINDOW in tensors else int(rows[0])
        raise not_finite(name, text)


def not_finite(output: str, text: int) -> NotFiniteError:
    """The error of an engine's output that is no number, for a text by its place in a request."""
    return NotFiniteError(
        f"text {text + 1} of the request: the engine's {output} are NaN or infinite; verify the "
        f"repository with ernie-triton verify, or build with --precision fp32"
    )
