"""Students: models of another shape that start with their teacher's weights.

A student's layer starts as the teacher's layer at the same relative depth, so the last as the last
(uniform map of TinyBERT, arxiv.org/abs/1909.10351, section 3.1; whole layers as in Patient
Knowledge Distillation, arxiv.org/abs/1908.09355). A narrower student keeps the most important
features, heads and neurons (DynaBERT, arxiv.org/abs/2004.04037). A wider one starts with random
weights in the new places.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.build.torch_models.layer_widths import head_size_of, layers_of, widths_of
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.errors import CheckpointError
from ernie_triton.model_shapes import FAMILY, Shape
from ernie_triton.training.compression.distillation.transplant import (
    NEW,
    copy_linear,
    copy_norm,
    copy_table,
    places_of,
    places_of_heads,
)
from ernie_triton.training.compression.pruning.importance import Importance
from ernie_triton.training.compression.pruning.widths import Indices

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentShape:
    """Wanted shape of a student; None takes a part over from the teacher.

    Attributes:
        layers: number of layers; None for the teacher's.
        hidden: width of the token vectors; None for the teacher's.
        heads: number of heads; None keeps the teacher's head size if that divides the width, else
            the teacher's number.
        feed_forward: width of the feed-forward layers; None for the teacher's proportion.
    """

    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    feed_forward: int | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if value is not None and value < 1:
                raise CheckpointError(f"the student's {part.name} is {value}; expected at least 1")

    def of(self, teacher: "PreTrainedModel") -> Shape:
        """Return the complete shape for a teacher.

        Raises:
            CheckpointError: the heads do not divide the width, or the student has more layers than
                the teacher.
        """
        config = teacher.config
        layers, hidden = self.layers or len(layers_of(teacher)), self.hidden or config.hidden_size
        heads = self.heads or self._heads(teacher, hidden)
        if hidden % heads:
            raise CheckpointError(
                f"the student's hidden is {hidden}, which {heads} heads do not divide; name other "
                f"heads=…"
            )
        if layers > len(layers_of(teacher)):
            raise CheckpointError(
                f"the student has {layers} layers but its teacher only {len(layers_of(teacher))}; "
                f"expected no more"
            )
        widest = max(width.feed_forward for width in widths_of(teacher))
        wide = self.feed_forward or round(widest * hidden / config.hidden_size)
        return Shape(layers=layers, hidden=hidden, heads=heads, feed_forward=wide)

    def _heads(self, teacher: "PreTrainedModel", hidden: int) -> int:
        size = head_size_of(teacher)
        return int(teacher.config.num_attention_heads) if hidden % size else hidden // size


def student_shape(text: str) -> StudentShape:
    """Parse a shape such as `layers=3,hidden=1024`, or a name of the family such as `nano`.

    Raises:
        CheckpointError: the text is neither.
    """
    if text in FAMILY:
        known = FAMILY[text]
        return StudentShape(**{part.name: getattr(known, part.name) for part in fields(known)})
    names = [part.name for part in fields(StudentShape)]
    given: dict[str, int] = {}
    for item in text.split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        if name not in names or not value.isdecimal() or name in given:
            raise CheckpointError(
                f"the student {text!r} has {item!r}; expected one of {', '.join(FAMILY)}, or "
                f"{', '.join(f'{known}=N' for known in names)}, each at most once"
            )
        given[name] = int(value)
    return StudentShape(**given)


def taught_by(layers: int, teacher_layers: int) -> tuple[int, ...]:
    """Return the teacher's layer for each of the student's, evenly spread, last for last."""
    return tuple(
        math.floor((index + 1) * teacher_layers / layers + 0.5) - 1 for index in range(layers)
    )


def initialise(
    student: "PreTrainedModel", teacher: "PreTrainedModel", importance: Importance
) -> None:
    """Copy as many of the teacher's weights as the student has room for, in place.

    Layers of the same shape are copied unchanged. Additional parts of the student keep their random
    weights; the connections from them into copied parts start at 0, so that new heads and neurons
    disturb little.

    Args:
        student: a new model of the same task and vocabulary.
        teacher: a model with layers of any width.
        importance: importance of the teacher's parts; a narrower student drops the least.
    """
    torch = import_torch()
    hidden = places_of(importance.hidden, student.config.hidden_size)
    chosen = taught_by(len(layers_of(student)), len(layers_of(teacher)))
    with torch.no_grad():
        _outside_layers(student, teacher, hidden)
        for target, index in zip(layers_of(student), chosen, strict=True):
            features = places_of_heads(
                importance.heads[index],
                head_size_of(teacher),
                student.config.num_attention_heads,
                head_size_of(student),
            )
            neurons = places_of(importance.neurons[index], student.config.intermediate_size)
            _layer(target, layers_of(teacher)[index], hidden, features, neurons)


def _outside_layers(
    student: "PreTrainedModel", teacher: "PreTrainedModel", hidden: Indices
) -> None:
    """Copy the embeddings, their norm, the pooler and the head of the task."""
    torch = import_torch()
    bases: tuple[Any, Any] = (student.base_model, teacher.base_model)
    new, old = (base.embeddings for base in bases)
    new_features = torch.from_numpy(hidden == NEW)
    for name in ("word", "position", "token_type"):
        table: Tensor = getattr(new, f"{name}_embeddings").weight
        source: Tensor = getattr(old, f"{name}_embeddings").weight
        # The same scale as the copied features, so that the norm over all changes little.
        table.mul_(source.std() / table.std().clamp(min=1e-12))
        fresh = table.detach().clone()
        copy_table(table, source, np.arange(len(source)), hidden)
        table[:, new_features] = fresh[:, new_features]
    copy_norm(new.LayerNorm, old.LayerNorm, hidden)
    own: Mapping[str, Any] = dict(student.named_modules())
    theirs: Mapping[str, Any] = dict(teacher.named_modules())
    pooler = next((name for name in own if name.endswith("pooler.dense")), None)
    if pooler is not None:
        copy_linear(own[pooler], theirs[pooler], hidden, hidden)
    for name in ("classifier", "qa_outputs"):
        if name in own:
            copy_linear(own[name], theirs[name], np.arange(theirs[name].out_features), hidden)


def _layer(new: Any, old: Any, hidden: Indices, features: Indices, neurons: Indices) -> None:  # noqa: ANN401
    for name in ("query", "key", "value"):
        copy_linear(
            getattr(new.attention.self, name), getattr(old.attention.self, name), features, hidden
        )
    copy_linear(new.attention.output.dense, old.attention.output.dense, hidden, features)
    copy_norm(new.attention.output.LayerNorm, old.attention.output.LayerNorm, hidden)
    copy_linear(new.intermediate.dense, old.intermediate.dense, neurons, hidden)
    copy_linear(new.output.dense, old.output.dense, hidden, neurons)
    copy_norm(new.output.LayerNorm, old.output.LayerNorm, hidden)
