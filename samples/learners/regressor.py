"""Regression: one score for a pair of texts, the classifier's single output as it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from samples.easy_pairs import easy_pairs_from
from samples.encoding import encode_texts
from samples.examples import Example
from samples.learners.base import Batch, Figures, Learner, in_batches, read_lines, swap_pair
from samples.learners.classifier import texts_of
from samples.metrics import pearson, spearman

if TYPE_CHECKING:
    import torch
    from transformers import BertTokenizer, PreTrainedModel

TEXT_FIELDS = ("sentence1", "sentence2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regressor(Learner[float]):
    """Learns the `score` of a pair, between 0 and 1."""

    @property
    def model_class(self) -> "type[PreTrainedModel]":
        """A linear layer with one output over the pooled first token."""
        from transformers import ErnieForSequenceClassification

        return ErnieForSequenceClassification

    @property
    def config(self) -> Mapping[str, Any]:
        """One label: the score."""
        return {"id2label": {0: "score"}, "label2id": {"score": 0}, "problem_type": "regression"}

    def read(self, path: Path) -> list[Example[float]]:
        """Read pairs with a `score`."""

        def example_from(record: dict[str, object]) -> Example[float]:
            score = record["score"]
            if not isinstance(score, (int, float)) or not 0 <= score <= 1:
                raise ValueError(f"has the score {score!r}, expected a number from 0 to 1")
            return Example(texts=texts_of(record, TEXT_FIELDS), target=float(score))

        return read_lines(path, (*TEXT_FIELDS, "score"), example_from)

    def encode(self, tokenizer: "BertTokenizer", examples: Sequence[Example[float]]) -> Batch:
        """Add `labels`: float32 [batch]."""
        import torch

        batch = encode_texts(tokenizer, [example.texts for example in examples])
        return {**batch, "labels": torch.tensor([example.target for example in examples])}

    def loss(
        self,
        model: "PreTrainedModel",
        batch: Batch,
        smoothing: float,  # noqa: ARG002
    ) -> "torch.Tensor":
        """Mean squared error."""
        import torch

        labels = batch.pop("labels")
        return torch.nn.functional.mse_loss(model(**batch).logits[:, 0], labels)

    def measure(
        self,
        model: "PreTrainedModel",
        tokenizer: "BertTokenizer",
        examples: Sequence[Example[float]],
        calibration: Figures,  # noqa: ARG002
    ) -> Figures:
        """Both correlations with the scores, and the mean absolute error."""
        predicted: list[float] = []
        for chosen in in_batches(examples):
            batch = encode_texts(tokenizer, [example.texts for example in chosen])
            predicted += model(**batch).logits[:, 0].tolist()
        wanted, given = np.array([example.target for example in examples]), np.array(predicted)
        return {
            "pearson": pearson(wanted, given),
            "spearman": spearman(wanted, given),
            "mean_absolute_error": float(np.abs(wanted - given).mean()),
        }

    def vary(self, example: Example[float], rng: Random) -> Example[float]:
        """Turn a pair around half of the time."""
        return swap_pair(example, rng)

    def easy_examples(
        self, examples: Sequence[Example[float]]
    ) -> Callable[[Random], Example[float]]:
        """A text with itself scores 1, two texts at random 0."""
        return easy_pairs_from(examples, same=1.0, different=0.0).draw
