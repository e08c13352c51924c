"""TrainingTask of token classification: a label for each word of a text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ernie_triton.tokenizer.windows import Window
from ernie_triton.training.datasets import LabelledText
from ernie_triton.training.tasks.base import Batch, Features, padded
from ernie_triton.training.tasks.windows import WindowTraining

if TYPE_CHECKING:
    import torch
    from torch import nn

IGNORED = -100
"""The target of special tokens, padding and a word's further pieces."""


class TokenClsTraining(WindowTraining):
    """Learns the label of each word at its first piece; `labels` are int64 [rows, longest]."""

    def window_rows(self, example: LabelledText, windows: Sequence[Window]) -> list[Features]:
        """The rows of one text; a word has the label of its first character."""
        ids = {name: index for index, name in enumerate(self.data.labels)}
        of_characters = np.array([ids[str(name)] for name in _names(example)], np.int32)
        rows = []
        for window in windows:
            begins = window.spans[:, 2] == 1
            labels = np.full(len(window.input_ids), IGNORED, np.int32)
            labels[begins] = of_characters[window.spans[begins, 0]]
            rows.append(
                {
                    "input_ids": window.input_ids,
                    "token_type_ids": window.token_type_ids,
                    "labels": labels,
                }
            )
        return rows

    def stack_targets(self, rows: Sequence[Features], longest: int) -> Batch:
        """The labels, padded."""
        lengths = np.array([len(row["labels"]) for row in rows])
        mask = np.arange(longest) < lengths[:, None]
        return {"labels": padded([row["labels"] for row in rows], mask, IGNORED)}

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Cross-entropy of the words' labels; 0 where a batch has no word."""
        import torch

        logits = model(**self.inputs(batch)).logits.float()
        labels = batch["labels"].flatten()
        total = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels, label_smoothing=smoothing, reduction="sum"
        )
        return total / (labels != IGNORED).sum().clamp(min=1)


def _names(example: LabelledText) -> Sequence[object]:
    return example.target if isinstance(example.target, tuple) else ()
