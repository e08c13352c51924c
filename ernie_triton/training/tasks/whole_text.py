"""Tasks on whole texts or pairs: one label, several labels, or a number."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ernie_triton.training.datasets import LabelledText
from ernie_triton.training.tasks.base import Batch, Features, TrainingTask

if TYPE_CHECKING:
    import torch
    from torch import nn


class WholeTextTraining(TrainingTask):
    """Base of tasks with one row for each example, cut to `max_length` tokens."""

    def rows(self, examples: Sequence[LabelledText]) -> list[Features]:
        """Return one row for each example; `labels` is its target."""
        if not examples:
            return []
        columns = [list(column) for column in zip(*(one.texts for one in examples), strict=True)]
        encoded = self.tokenizer.encode(*columns)
        ends = np.cumsum(encoded.lengths)[:-1]
        ids, types = np.split(encoded.input_ids, ends), np.split(encoded.token_type_ids, ends)
        return [
            {"input_ids": row, "token_type_ids": kinds, "labels": self.target(one)}
            for row, kinds, one in zip(ids, types, examples, strict=True)
        ]

    def target(self, example: LabelledText) -> npt.NDArray[Any]:
        """Return the target as an array."""
        return np.asarray(example.target)

    def stack_targets(self, rows: Sequence[Features], longest: int) -> Batch:  # noqa: ARG002
        """Stack the targets into one tensor."""
        import torch

        return {"labels": torch.from_numpy(np.stack([row["labels"] for row in rows]))}


class SeqClsTraining(WholeTextTraining):
    """Train one label for a text; `labels` are int64 [rows]."""

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the cross-entropy."""
        import torch

        logits = model(**self.inputs(batch)).logits.float()
        return torch.nn.functional.cross_entropy(logits, batch["labels"], label_smoothing=smoothing)


class MultiLabelTraining(WholeTextTraining):
    """Train any number of labels for a text; `labels` are float32 [rows, labels], 0 or 1."""

    def target(self, example: LabelledText) -> npt.NDArray[Any]:
        """Return 1 for each label of the text, 0 for the others."""
        has = np.zeros(len(self.data.labels), np.float32)
        has[list(example.target)] = 1.0  # type: ignore[arg-type]
        return has

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the binary cross-entropy of all labels; smoothing moves targets towards 0.5."""
        import torch

        logits = model(**self.inputs(batch)).logits.float()
        wanted = batch["labels"] * (1.0 - smoothing) + smoothing / 2.0
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)


class RegressionTraining(WholeTextTraining):
    """Train a score for a text; `labels` are float32 [rows]."""

    def target(self, example: LabelledText) -> npt.NDArray[Any]:
        """Return the score as an array."""
        return np.float32(example.target)  # type: ignore[arg-type,return-value]

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the mean squared error; smoothing has no effect."""
        import torch

        del smoothing
        logits = model(**self.inputs(batch)).logits.float()
        return torch.nn.functional.mse_loss(logits[:, 0], batch["labels"])
