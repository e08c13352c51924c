"""The objective of the first stage: a student's layers learn from the teacher's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ernie_triton.training.compression.objectives.losses import (
    relation_heads,
    relation_loss,
    vector_loss,
)
from ernie_triton.training.compression.objectives.objectives import LossWeights, mean_of, scores_of
from ernie_triton.training.compression.objectives.signals import PROJECTIONS, signals_of
from ernie_triton.training.compression.objectives.teacher import Teacher
from ernie_triton.training.tasks import Batch

if TYPE_CHECKING:
    from torch import Tensor, nn

PROJECTION = "distillation_projection"
"""The student's attribute with the linear layer that maps its vectors to the teacher's width."""


class LayerObjective:
    """Transformer-layer distillation: token vectors of chosen layers, relations of the last.

    If the student's vectors have another width, its attribute `PROJECTION`, a trained linear layer,
    maps them to the teacher's width (TinyBERT, arxiv.org/abs/1909.10351, eq. 8).
    """

    def __init__(self, teacher: Teacher, weights: LossWeights, chosen: Sequence[int]) -> None:
        """Set up.

        Args:
            teacher: a teacher of any width.
            weights: weights of `hidden` and `attention`.
            chosen: the teacher's layer for each of the student's.
        """
        self._teacher, self._weights = teacher, weights
        self._hidden = (0, *(index + 1 for index in chosen))
        self._heads = int(teacher.model.config.num_attention_heads)

    def __call__(self, model: "nn.Module", batch: Batch) -> "Tensor":
        """Return the loss of a batch."""
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
        loss = self._weights.hidden * mean_of(vectors)
        loss = loss + self._weights.attention * mean_of(relations)
        # Training in several processes needs a gradient for every weight.
        return loss + 0.0 * sum(values.float().sum() for values in scores_of(student.answer))

    def _relation_heads(self, student: "Tensor", teacher: "Tensor") -> int:
        return relation_heads(student.shape[-1], teacher.shape[-1], self._heads)
