"""The objective of a student that learns its teacher's answers, and the weights of all losses."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ernie_triton.errors import CheckpointError
from ernie_triton.training.compression.objectives.losses import answer_loss
from ernie_triton.training.compression.objectives.teacher import ANSWER_NAMES, Teacher
from ernie_triton.training.tasks import Batch, TrainingTask

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights of the parts of a loss, and the softness of the teacher's answers.

    Attributes:
        answers: weight of the teacher's answers.
        labels: weight of the data's own labels.
        hidden: weight of token vectors after the embeddings and the layers.
        attention: weight of attention, or of the relations between tokens.
        temperature: softens both sides' answers.
    """

    answers: float = 1.0
    labels: float = 0.0
    hidden: float = 1.0
    attention: float = 1.0
    temperature: float = 2.0

    def __post_init__(self) -> None:
        for name in ("answers", "labels", "hidden", "attention"):
            if getattr(self, name) < 0:
                raise CheckpointError(
                    f"the weight of {name} is {getattr(self, name):g}; expected at least 0"
                )
        if self.temperature <= 0:
            raise CheckpointError(f"temperature is {self.temperature:g}; expected above 0")


class AnswerObjective:
    """Prediction-layer distillation: learn the teacher's soft answers, and the labels."""

    def __init__(self, teacher: Teacher, task: TrainingTask, weights: LossWeights) -> None:
        self._teacher, self._task, self._weights = teacher, task, weights

    def __call__(self, model: "nn.Module", batch: Batch) -> "Tensor":
        """Return the loss of a batch."""
        answer: Any = model(**self._task.inputs(batch))
        wanted = self._teacher.answer(batch)
        return answers_and_labels(self._task, self._weights, answer, wanted, batch)


def scores_of(answer: Any) -> list["Tensor"]:  # noqa: ANN401 (as transformers answers)
    """Return the score tensors of an answer, whatever the task."""
    return [getattr(answer, name) for name in ANSWER_NAMES if hasattr(answer, name)]


def answers_and_labels(
    task: TrainingTask,
    weights: LossWeights,
    student: Any,  # noqa: ANN401 (as transformers answers)
    teacher: Any,  # noqa: ANN401
    batch: Batch,
) -> "Tensor":
    """Return the loss of given answers against the teacher's and against the labels."""
    loss = weights.answers * answer_loss(
        task.data.task,
        student,
        teacher,
        batch["attention_mask"],
        temperature=weights.temperature,
    )
    if weights.labels:
        answered: Any = lambda **_inputs: SimpleNamespace(**dict(student))  # noqa: E731
        loss = loss + weights.labels * task.loss(answered, batch)
    return loss


def mean_of(losses: Sequence["Tensor"]) -> "Tensor":
    """Return the mean of scalar losses."""
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total / len(losses)
