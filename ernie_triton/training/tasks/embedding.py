"""Task on pairs of texts: vectors of the two that are near each other where the label says so."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from ernie_triton.build.torch_models.token_heads import token_head
from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.pipeline import Answering
from ernie_triton.training.datasets import LabelledText
from ernie_triton.training.tasks.base import Batch, Features, TrainingTask
from ernie_triton.training.tasks.evaluation import evaluate_model
from ernie_triton.training.tasks.token_scores import (
    largest_by_id,
    late_interactions,
    mean_of_tokens,
    token_states,
    weights_of_tokens,
)

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

        Where the model has heads of tokens as well (bge-m3), the mean of that of the cosines, of
        the lexical scores and of the late interactions.

        In-batch negatives: cross-entropy of finding the other text of a pair with label 1 among all
        texts of the batch, in both directions. CoSENT (github.com/bojone/CoSENT): log(1 + sum of
        exp((lower - higher) / temperature)) over the scores of pairs with different labels.
        """
        import torch

        del smoothing
        inputs, labels = self.inputs(batch), batch["labels"]
        states = token_states(model, inputs)
        first, second = mean_of_tokens(states, inputs["attention_mask"]).chunk(2)
        scores = [first @ second.T]
        if (weigh := token_head(model, "lexical")) is not None:
            vocabulary = self.tokenizer.vocabulary_size
            weights = weights_of_tokens(weigh, states, inputs["input_ids"], self._weightless())
            one, two = largest_by_id(weights, inputs["input_ids"], vocabulary).chunk(2)
            scores.append(one @ two.T)
        if (project := token_head(model, "token_vector")) is not None:
            mask = inputs["attention_mask"][:, 1:].bool()  # [CLS] has no vector
            vectors = torch.nn.functional.normalize(project(states[:, 1:]), dim=-1)
            scores.append(late_interactions(*vectors.chunk(2), *mask.chunk(2)))
        return torch.stack([_pair_loss(one, labels) for one in scores]).mean()

    def evaluate(self, model: "nn.Module", examples: Sequence[LabelledText]) -> Evaluation:
        """Measure Spearman's correlation of cosines and labels, as `--evaluate` prints it."""

        def answer(**inputs: "torch.Tensor") -> SimpleNamespace:
            return SimpleNamespace(vector=mean_vectors(model, inputs))

        return evaluate_model(model, self.parts(), self.data, examples, answer=answer)

    def _weightless(self) -> tuple[int, ...]:
        """Ids of the tokens without a weight, as the tokenizer stage has them."""
        one = self.tokenizer
        return (one.classify_id, one.separate_id, one.pad_token_id, one.unknown_id)

    def answering(self) -> Answering:
        """Return the settings of vectors that are the mean of the tokens' vectors."""
        return Answering(pooling="mean")


def mean_vectors(model: "nn.Module", inputs: Batch) -> "torch.Tensor":
    """Return the mean of each row's token vectors at length 1, float32 [rows, hidden].

    Args:
        model: an encoder without a head.
        inputs: `input_ids`, `token_type_ids` and `attention_mask`, int64 [rows, longest].
    """
    return mean_of_tokens(token_states(model, inputs), inputs["attention_mask"])


def _pair_loss(scores: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
    """Return the loss of the scores [pairs, pairs] of all first texts with all second ones."""
    import torch

    scores = scores / _TEMPERATURE
    own = scores.diagonal()
    lower_minus_higher = (own[None, :] - own[:, None])[labels[:, None] > labels[None, :]]
    loss = torch.cat([own.new_zeros(1), lower_minus_higher]).logsumexp(0)
    [same] = torch.nonzero(labels == 1.0, as_tuple=True)
    if len(same):
        for table in (scores, scores.T):
            loss = loss + torch.nn.functional.cross_entropy(table[same], same)
    return loss
