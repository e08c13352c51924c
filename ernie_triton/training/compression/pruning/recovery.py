"""The objective of a pruned model: behave as the whole model did."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ernie_triton.build.torch_models.layer_widths import head_size_of
from ernie_triton.training.compression.objectives.losses import (
    attention_loss,
    attention_scores,
    vector_loss,
)
from ernie_triton.training.compression.objectives.objectives import (
    LossWeights,
    answers_and_labels,
    mean_of,
)
from ernie_triton.training.compression.objectives.signals import Signals, signals_of
from ernie_triton.training.compression.objectives.teacher import Teacher
from ernie_triton.training.compression.pruning.rewiring import features_of
from ernie_triton.training.compression.pruning.widths import Kept
from ernie_triton.training.tasks import Batch, TrainingTask

if TYPE_CHECKING:
    from torch import Tensor, nn


class RecoveryObjective:
    """Learn the whole model's answers, token vectors, and attention of the heads that stayed."""

    def __init__(
        self, teacher: Teacher, task: TrainingTask, weights: LossWeights, kept: Sequence[Kept]
    ) -> None:
        self._teacher, self._task, self._weights = teacher, task, weights
        size = head_size_of(teacher.model)
        self._features = [features_of(part.heads, size) for part in kept]
        self._heads = [len(part.heads) for part in kept]

    def __call__(self, model: "nn.Module", batch: Batch) -> "Tensor":
        """Return the loss of a batch."""
        weights, mask = self._weights, batch["attention_mask"]
        student, teacher = signals_of(model, batch), self._teacher.signals(batch)
        loss = answers_and_labels(self._task, weights, student.answer, teacher.answer, batch)
        if weights.hidden:
            pairs = zip(student.hidden, teacher.hidden, strict=True)
            loss = loss + weights.hidden * mean_of([vector_loss(a, b, mask) for a, b in pairs])
        if weights.attention:
            loss = loss + weights.attention * mean_of(self._attention(student, teacher, mask))
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
