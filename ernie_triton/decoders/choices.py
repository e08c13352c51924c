"""Multiple choice: the probability of each option of a question, and the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32, Tensors
from ernie_triton.decoders.labels import softmax
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import CHOICE, QUERY_ROW

_LOGITS = CHOICE.engine_outputs[0].name


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceSettings(StageSettings):
    """The postprocess stage's parameters."""

    task: str


class ChoiceDecoder:
    """Choose the best option of each question of a batch of requests."""

    inputs = (_LOGITS, QUERY_ROW.name)

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:  # noqa: ARG002
        """Check the parameters; there are no labels.

        Raises:
            PipelineError: a parameter is missing or unknown.
        """
        ChoiceSettings.from_parameters(parameters)

    def read(self, tensors: Tensors) -> Float32:
        """Take the logits as [questions, options]."""
        questions = int(tensors[QUERY_ROW.name][-1, 0]) + 1
        return tensors[_LOGITS].reshape(questions, -1)

    def run(self, items: Sequence[Float32]) -> list[dict[str, Array]]:
        """Choose; of equal options the first. Probabilities are those among the options sent."""
        return [
            {
                "choice": logits.argmax(axis=1).astype(np.int64)[:, None],
                "probabilities": softmax(logits),
                "scores": logits,
            }
            for logits in items
        ]
