"""Sequence classification: one label for a text or a pair."""

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
from samples.metrics import accuracy, macro_f1
from samples.tasks import Label

if TYPE_CHECKING:
    import torch
    from transformers import BertTokenizer, PreTrainedModel

DIFFERENT_ID, SAME_ID = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier(Learner[int]):
    """Learns the index of the label; `text_fields` are the JSON keys of the one or two texts."""

    labels: tuple[Label, ...]
    text_fields: tuple[str, ...]

    @property
    def model_class(self) -> "type[PreTrainedModel]":
        """A classifier over the pooled first token."""
        from transformers import ErnieForSequenceClassification

        return ErnieForSequenceClassification

    @property
    def config(self) -> Mapping[str, Any]:
        """The labels' names."""
        return {**label_config(self.labels), "problem_type": "single_label_classification"}

    def read(self, path: Path) -> list[Example[int]]:
        """Read lines with a `label`."""
        ids = {label.label: index for index, label in enumerate(self.labels)}

        def example_from(record: dict[str, object]) -> Example[int]:
            label = str(record["label"])
            if label not in ids:
                raise ValueError(f"has the label {label!r}, expected one of {', '.join(ids)}")
            return Example(texts=texts_of(record, self.text_fields), target=ids[label])

        return read_lines(path, (*self.text_fields, "label"), example_from)

    def encode(self, tokenizer: "BertTokenizer", examples: Sequence[Example[int]]) -> Batch:
        """Add `labels`: int64 [batch]."""
        import torch

        batch = encode_texts(tokenizer, [example.texts for example in examples])
        return {**batch, "labels": torch.tensor([example.target for example in examples])}

    def loss(self, model: "PreTrainedModel", batch: Batch, smoothing: float) -> "torch.Tensor":
        """Cross-entropy."""
        import torch

        labels = batch.pop("labels")
        return torch.nn.functional.cross_entropy(
            model(**batch).logits, labels, label_smoothing=smoothing
        )

    def measure(
        self,
        model: "PreTrainedModel",
        tokenizer: "BertTokenizer",
        examples: Sequence[Example[int]],
        calibration: Figures,  # noqa: ARG002
    ) -> Figures:
        """Accuracy and macro-F1."""
        predicted: list[int] = []
        for chosen in in_batches(examples):
            batch = encode_texts(tokenizer, [example.texts for example in chosen])
            predicted += model(**batch).logits.argmax(dim=-1).tolist()
        wanted, given = np.array([example.target for example in examples]), np.array(predicted)
        return {"accuracy": accuracy(wanted, given), "macro_f1": macro_f1(wanted, given)}

    def vary(self, example: Example[int], rng: Random) -> Example[int]:
        """Turn a pair around half of the time."""
        return swap_pair(example, rng)

    def easy_examples(
        self, examples: Sequence[Example[int]]
    ) -> Callable[[Random], Example[int]] | None:
        """Easy pairs, where the task is about pairs that are the same or not."""
        if len(self.text_fields) != 2:
            return None
        return easy_pairs_from(examples, same=SAME_ID, different=DIFFERENT_ID).draw


def texts_of(record: Mapping[str, object], fields: Sequence[str]) -> tuple[str, ...]:
    """The texts of a line."""
    return tuple(str(record[field]) for field in fields)


def label_config(labels: Sequence[Label]) -> dict[str, object]:
    """The labels as config.json has them."""
    names = [label.name for label in labels]
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }
