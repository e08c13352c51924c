"""Rows of tokens whose labels are the teacher's scores, and the task that trains on them."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.training.compression.objectives.losses import answer_loss
from ernie_triton.training.compression.slim.augment import TokenIds
from ernie_triton.training.datasets import LabelledText
from ernie_triton.training.tasks import Batch, Features, TrainingTask
from ernie_triton.training.tasks.whole_text import WholeTextTraining

if TYPE_CHECKING:
    import torch
    from torch import nn


class SoftScoreTraining(WholeTextTraining):
    """Train a teacher's soft scores; `labels` of given rows are float32 [rows, labels]."""

    def __init__(self, task: TrainingTask, rows: Sequence[Features], *, temperature: float) -> None:
        """Take over a task's data, tokenizer and metric.

        Args:
            task: the training task of the data.
            rows: the rows to train on, whatever the examples.
            temperature: softens the teacher's and the student's scores.
        """
        super().__init__(task.data, task.tokenizer, max_length=task.max_length)
        self._rows = list(rows)
        self._temperature = temperature

    def rows(self, examples: Sequence[LabelledText]) -> list[Features]:  # noqa: ARG002
        """Return the given rows."""
        return self._rows

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the loss between the model's scores and the teacher's; smoothing has no effect."""
        del smoothing
        answer: Any = model(**self.inputs(batch))
        return answer_loss(
            self.data.task,
            answer,
            SimpleNamespace(logits=batch["labels"]),
            batch["attention_mask"],
            temperature=self._temperature,
        )


class RowMaker:
    """Convert between rows and texts of token ids without special tokens."""

    def __init__(self, task: TrainingTask) -> None:
        self._tokenizer, self._max_length = task.tokenizer, task.max_length

    def texts(self, row: Features) -> tuple[TokenIds, ...]:
        """Return the one or two texts of a row."""
        ids, types = row["input_ids"], row["token_type_ids"]
        first = int(np.count_nonzero(types == 0))
        second = ids[first:-1]
        return (ids[1 : first - 1], second) if first < len(ids) else (ids[1:-1],)

    def row(self, texts: tuple[TokenIds, ...]) -> Features:
        """Make a row; the longer text is cut until it fits, as the tokenizer does."""
        room = self._max_length - 1 - len(texts)
        lengths = [len(text) for text in texts]
        while sum(lengths) > room:
            longest = max(range(len(texts)), key=lambda text: (lengths[text], text))
            lengths[longest] -= 1
        ids, types = [np.array([self._tokenizer.classify_id], np.int32)], [np.zeros(1, np.int32)]
        end = np.array([self._tokenizer.separate_id], np.int32)
        for kind, (text, length) in enumerate(zip(texts, lengths, strict=True)):
            ids += [text[:length], end]
            types.append(np.full(length + 1, kind, np.int32))
        return {"input_ids": np.concatenate(ids), "token_type_ids": np.concatenate(types)}

    def plain_rows(self, *columns: Sequence[str]) -> Iterator[Features]:
        """Encode texts, or pairs of two columns, into rows."""
        encoded = self._tokenizer.encode(*columns)
        ends = np.cumsum(encoded.lengths)[:-1]
        for ids, types in zip(
            np.split(encoded.input_ids, ends), np.split(encoded.token_type_ids, ends), strict=True
        ):
            yield {"input_ids": ids, "token_type_ids": types}
