"""The task of cloze: the tokens in the place of a text's masks."""

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.arrays import Int32, Int64
from ernie_triton.build.check.local_answers import PipelineParts
from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.errors import DatasetError, TextError
from ernie_triton.stages.masks import single_token
from ernie_triton.training.datasets import LabelledText
from ernie_triton.training.tasks.base import Batch, Features, TrainingTask, padded
from ernie_triton.training.tasks.evaluation import evaluate_model

if TYPE_CHECKING:
    import torch
    from torch import nn

_NOTHING = -100
"""The target of tokens that are no masks."""


class ClozeTraining(TrainingTask):
    """Train the tokens in the place of masks; `labels` are their ids, int64 [rows, longest]."""

    @property
    def _mask(self) -> int:
        vocabulary = self.tokenizer.vocabulary
        return vocabulary.special_id(vocabulary.rules.names.mask)

    def rows(self, examples: Sequence[LabelledText]) -> list[Features]:
        """Return a row for each text, all its masks in it.

        Raises:
            DatasetError: a text has another number of masks than of tokens, or one is not in the
                vocabulary.
        """
        if not examples:
            return []
        rows = self.tokenizer.encode([example.texts[0] for example in examples])
        ends = np.cumsum(rows.lengths)[:-1]
        parts = (np.split(one, ends) for one in (rows.input_ids, rows.token_type_ids))
        return [
            {"input_ids": ids, "token_type_ids": types, "labels": self._labels(example, ids)}
            for example, ids, types in zip(examples, *parts, strict=True)
        ]

    def _labels(self, example: LabelledText, ids: Int32) -> Int64:
        where = f"{self.data.train_path}:{example.line}"
        places = np.flatnonzero(ids == self._mask)
        words = [str(word) for word in example.target] if isinstance(example.target, tuple) else []
        if len(words) == 1 < len(places):  # a string with a character for each mask
            words = [*words[0]]
        if not words or len(words) != len(places):
            raise DatasetError(
                f"{where}: {len(words)} answers for {len(places)} masks among the "
                f"{self.max_length} tokens that are read; give one for each"
            )
        labels = np.full(len(ids), _NOTHING, np.int64)
        try:
            labels[places] = [single_token(self.tokenizer, word, where) for word in words]
        except TextError as error:
            raise DatasetError(str(error)) from error
        return labels

    def stack_targets(self, rows: Sequence[Features], longest: int) -> Batch:
        """Pad the targets."""
        lengths = np.array([len(row["labels"]) for row in rows])
        mask = np.arange(longest) < lengths[:, None]
        return {"labels": padded([row["labels"] for row in rows], mask, _NOTHING)}

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the mean cross-entropy over all masks."""
        import torch

        is_mask = batch["labels"] != _NOTHING
        logits = model(**self.inputs(batch)).logits[is_mask].float()
        return torch.nn.functional.cross_entropy(
            logits, batch["labels"][is_mask], label_smoothing=smoothing
        )

    def parts(self) -> PipelineParts:
        """Make the stages around the model, with a second id of the mask as a build has it."""
        parts, vocabulary = super().parts(), self.tokenizer.vocabulary_size
        sizes = dataclasses.replace(parts.sizes, hidden=vocabulary, vocabulary_size=vocabulary + 1)
        return PipelineParts(parts.spec, sizes, self.tokenizer)

    def evaluate(self, model: "nn.Module", examples: Sequence[LabelledText]) -> Evaluation:
        """Measure accuracy; see `TrainingTask.evaluate`."""
        import torch

        vocabulary = self.tokenizer.vocabulary_size

        def answer(input_ids: "torch.Tensor", **inputs: Any) -> object:  # noqa: ANN401
            places = (input_ids == self._mask).long().argmax(dim=1)
            ids = torch.where(input_ids == vocabulary, self._mask, input_ids)
            logits = model(input_ids=ids, **inputs).logits[..., :vocabulary]
            return SimpleNamespace(logits=logits[torch.arange(len(ids)), places])

        return evaluate_model(model, self.parts(), self.data, examples, answer=answer)
