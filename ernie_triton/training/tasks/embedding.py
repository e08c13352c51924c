"""Task on pairs of texts: vectors of the two that are near each other where the label says so."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.pipeline import Answering
from ernie_triton.training.datasets import LabelledText
from ernie_triton.training.tasks.base import Batch, Features, TrainingTask
from ernie_triton.training.tasks.evaluation import evaluate_model

if TYPE_CHECKING:
    import torch
    from torch import nn

_TEMPERATURE = 0.05
_SECOND = "second_"
"""Prefix of a row's second text among its features."""


class EmbeddingTraining(TrainingTask):
    """Train vectors of texts; `labels` are float32 [pairs], from 0 (different) to 1 (the same).

    A row is a pair. A batch has all first texts before all second ones. A text's vector is the mean
    of its tokens' vectors, [CLS] and [SEP] included, scaled to length 1.
    """

    def rows(self, examples: Sequence[LabelledText]) -> list[Features]:
        """Return one row for each pair, both texts cut to `max_length` tokens."""
        if not examples:
            return []
        rows: list[Features] = [{"labels": np.float32(one.target)} for one in examples]  # type: ignore[arg-type,dict-item]
        columns = zip(*(one.texts for one in examples), strict=True)
        for prefix, column in zip(("", _SECOND), columns, strict=True):
            encoded = self.tokenizer.encode(list(column))
            ends = np.cumsum(encoded.lengths)[:-1]
            ids, types = np.split(encoded.input_ids, ends), np.split(encoded.token_type_ids, ends)
            for row, row_ids, row_types in zip(rows, ids, types, strict=True):
                row[f"{prefix}input_ids"] = row_ids
                row[f"{prefix}token_type_ids"] = row_types
        return rows

    def collate(self, rows: Sequence[Features]) -> Batch:
        """Pad both texts of each pair to one batch of twice as many rows."""
        seconds = [
            {name.removeprefix(_SECOND): row[name] for name in row if name.startswith(_SECOND)}
            for row in rows
        ]
        return super().collate([*rows, *seconds])

    def stack_targets(self, rows: Sequence[Features], longest: int) -> Batch:  # noqa: ARG002
        """Stack the pairs' labels into one tensor."""
        import torch

        labels = np.stack([row["labels"] for row in rows if "labels" in row])
        return {"labels": torch.from_numpy(labels)}

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the sum of in-batch negatives and CoSENT; smoothing has no effect.

        In-batch negatives: cross-entropy of finding the other text of a pair with label 1 among all
        texts of the batch, in both directions. CoSENT (github.com/bojone/CoSENT): log(1 + sum of
        exp((lower - higher) / temperature)) over the cosines of pairs with different labels.
        """
        import torch

        del smoothing
        first, second = mean_vectors(model, self.inputs(batch)).chunk(2)
        labels, cosines = batch["labels"], first @ second.T / _TEMPERATURE
        own = cosines.diagonal()
        lower_minus_higher = (own[None, :] - own[:, None])[labels[:, None] > labels[None, :]]
        loss = torch.cat([own.new_zeros(1), lower_minus_higher]).logsumexp(0)
        [same] = torch.nonzero(labels == 1.0, as_tuple=True)
        if len(same):
            for scores in (cosines, cosines.T):
                loss = loss + torch.nn.functional.cross_entropy(scores[same], same)
        return loss

    def evaluate(self, model: "nn.Module", examples: Sequence[LabelledText]) -> Evaluation:
        """Measure Spearman's correlation of cosines and labels, as `--evaluate` prints it."""

        def answer(**inputs: "torch.Tensor") -> SimpleNamespace:
            return SimpleNamespace(vector=mean_vectors(model, inputs))

        return evaluate_model(model, self.parts(), self.data, examples, answer=answer)

    def answering(self) -> Answering:
        """Return the settings of vectors that are the mean of the tokens' vectors."""
        return Answering(pooling="mean")


def mean_vectors(model: "nn.Module", inputs: Batch) -> "torch.Tensor":
    """Return the mean of each row's token vectors at length 1, float32 [rows, hidden].

    Args:
        model: an encoder without a head.
        inputs: `input_ids`, `token_type_ids` and `attention_mask`, int64 [rows, longest].
    """
    import torch

    states = model(**inputs).last_hidden_state.float()
    mask = inputs["attention_mask"][:, :, None].to(states.dtype)
    mean = (states * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(mean, dim=-1)
