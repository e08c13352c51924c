"""What a student is told about a batch: losses that training minimises, made of a teacher."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ernie_triton.build.torch_models.layer_widths import head_size_of
from ernie_triton.errors import CheckpointError
from ernie_triton.training.compression.distillation.losses import (
    answer_loss,
    attention_loss,
    attention_scores,
    relation_heads,
    relation_loss,
    vector_loss,
)
from ernie_triton.training.compression.distillation.signals import PROJECTIONS, Signals, signals_of
from ernie_triton.training.compression.distillation.teacher import ANSWER_NAMES, Teacher
from ernie_triton.training.compression.pruning.rewiring import features_of
from ernie_triton.training.compression.pruning.widths import Kept
from ernie_triton.training.tasks import Batch, TrainingTask

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How much each part counts, and how soft the teacher's answers are.

    Attributes:
        answers: against the teacher's answers.
        labels: against the data's own labels.
        hidden: token vectors after the embeddings and the layers.
        attention: attention, or the relations between tokens.
        temperature: of both sides' answers.
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


class AnswerLesson:
    """Prediction-layer distillation: the teacher's soft answers, and the labels."""

    def __init__(self, teacher: Teacher, task: TrainingTask, weights: Weights) -> None:
        self._teacher, self._task, self._weights = teacher, task, weights

    def __call__(self, model: "nn.Module", batch: Batch) -> "Tensor":
        """The loss of a batch; of a row met before, the teacher's answer is remembered."""
        answer: Any = model(**self._task.inputs(batch))
        wanted = self._teacher.answer(batch)
        return answers_and_labels(self._task, self._weights, answer, wanted, batch)


class RecoveryLesson:
    """For a pruned model: to go on as it did, in every layer, with the heads that it still has."""

    def __init__(
        self, teacher: Teacher, task: TrainingTask, weights: Weights, kept: Sequence[Kept]
    ) -> None:
        self._teacher, self._task, self._weights = teacher, task, weights
        size = head_size_of(teacher.model)
        self._features = [features_of(part.heads, size) for part in kept]
        self._heads = [len(part.heads) for part in kept]

    def __call__(self, model: "nn.Module", batch: Batch) -> "Tensor":
        """The loss of a batch."""
        weights, mask = self._weights, batch["attention_mask"]
        student, teacher = signals_of(model, batch), self._teacher.signals(batch)
        loss = answers_and_labels(self._task, weights, student.answer, teacher.answer, batch)
        if weights.hidden:
            pairs = zip(student.hidden, teacher.hidden, strict=True)
            loss = loss + weights.hidden * _mean([vector_loss(a, b, mask) for a, b in pairs])
        if weights.attention:
            loss = loss + weights.attention * _mean(self._attention(student, teacher, mask))
        return loss

    def _attention(self, student: Signals, teacher: Signals, mask: "Tensor") -> list["Tensor"]:
        losses = []
        for layer, (features, heads) in enumerate(zip(self._features, self._heads, strict=True)):
            found = attention_scores(student.query[layer], student.key[layer], heads)
            wanted = attention_scores(
                teacher.query[layer][..., features], teacher.key[layer][..., features], heads
            )
            losses.append(attention_loss(found, wanted, mask))
        return losses


class LayerLesson:
    """Transformer-layer distillation: token vectors of chosen layers, relations of the last.

    Where the student's vectors are of another width, `projection` of the student (a linear layer
    that learns with it) brings them to the teacher's (TinyBERT, arxiv.org/abs/1909.10351, eq. 8).
    """

    def __init__(self, teacher: Teacher, weights: Weights, chosen: Sequence[int]) -> None:
        """Choose the layers.

        Args:
            teacher: of any width.
            weights: of `hidden` and `attention`.
            chosen: the teacher's layer for each of the student's.
        """
        self._teacher, self._weights = teacher, weights
        self._hidden = (0, *(index + 1 for index in chosen))
        self._heads = int(teacher.model.config.num_attention_heads)

    def __call__(self, model: "nn.Module", batch: Batch) -> "Tensor":
        """The loss of a batch."""
        mask = batch["attention_mask"]
        student, teacher = signals_of(model, batch), self._teacher.signals(batch)
        projection: Any = getattr(getattr(model, "module", model), PROJECTION, None)
        vectors = [
            vector_loss(
                found if projection is None else projection(found), teacher.hidden[index], mask
            )
            for found, index in zip(student.hidden, self._hidden, strict=True)
        ]
        relations = [
            relation_loss(found, wanted, mask, self._relation_heads(found, wanted))
            for found, wanted in (
                (getattr(student, name)[-1], getattr(teacher, name)[-1]) for name in PROJECTIONS
            )
        ]
        loss = self._weights.hidden * _mean(vectors) + self._weights.attention * _mean(relations)
        # Several processes train together only where every weight has a gradient.
        return loss + 0.0 * sum(values.float().sum() for values in scores_of(student.answer))

    def _relation_heads(self, student: "Tensor", teacher: "Tensor") -> int:
        return relation_heads(student.shape[-1], teacher.shape[-1], self._heads)


PROJECTION = "distillation_projection"
"""The student's attribute with the linear layer that brings its vectors to the teacher's width."""


def scores_of(answer: Any) -> list["Tensor"]:  # noqa: ANN401 (as transformers answers)
    """The scores of an answer, whatever the task."""
    return [getattr(answer, name) for name in ANSWER_NAMES if hasattr(answer, name)]


def answers_and_labels(
    task: TrainingTask,
    weights: Weights,
    student: Any,  # noqa: ANN401 (as transformers answers)
    teacher: Any,  # noqa: ANN401
    batch: Batch,
) -> "Tensor":
    """The loss of answers that are there: against the teacher's, and against the labels."""
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


def _mean(losses: Sequence["Tensor"]) -> "Tensor":
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total / len(losses)
