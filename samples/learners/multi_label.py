"""Multi-label classification: any number of labels for a text, each decided by its sigmoid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from samples.encoding import encode_texts
from samples.examples import Example
from samples.learners.base import Batch, Figures, Learner, in_batches, read_lines
from samples.learners.classifier import label_config, texts_of
from samples.metrics import multi_label_f1
from samples.tasks import Label

if TYPE_CHECKING:
    import torch
    from transformers import BertTokenizer, PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabelClassifier(Learner[tuple[bool, ...]]):
    """Learns which labels a text has: a bool for each, in their order."""

    labels: tuple[Label, ...]
    text_fields: tuple[str, ...]

    @property
    def model_class(self) -> "type[PreTrainedModel]":
        """A classifier over the pooled first token."""
        from transformers import ErnieForSequenceClassification

        return ErnieForSequenceClassification

    @property
    def config(self) -> Mapping[str, Any]:
        """The labels' names, and that several may hold."""
        return {**label_config(self.labels), "problem_type": "multi_label_classification"}

    def read(self, path: Path) -> list[Example[tuple[bool, ...]]]:
        """Read lines with a list of `labels`, perhaps empty."""
        names = [label.label for label in self.labels]

        def example_from(record: dict[str, object]) -> Example[tuple[bool, ...]]:
            found = record["labels"]
            if not isinstance(found, list) or not set(found) <= set(names):
                raise ValueError(f"has the labels {found!r}, expected some of {', '.join(names)}")
            target = tuple(name in found for name in names)
            return Example(texts=texts_of(record, self.text_fields), target=target)

        return read_lines(path, (*self.text_fields, "labels"), example_from)

    def encode(
        self, tokenizer: "BertTokenizer", examples: Sequence[Example[tuple[bool, ...]]]
    ) -> Batch:
        """Add `labels`: float32 [batch, labels], 0 or 1."""
        import torch

        batch = encode_texts(tokenizer, [example.texts for example in examples])
        targets = [example.target for example in examples]
        return {**batch, "labels": torch.tensor(targets, dtype=torch.float32)}

    def loss(self, model: "PreTrainedModel", batch: Batch, smoothing: float) -> "torch.Tensor":
        """Binary cross-entropy of every label."""
        import torch

        labels = batch.pop("labels") * (1 - smoothing) + smoothing / 2
        return torch.nn.functional.binary_cross_entropy_with_logits(model(**batch).logits, labels)

    def measure(
        self,
        model: "PreTrainedModel",
        tokenizer: "BertTokenizer",
        examples: Sequence[Example[tuple[bool, ...]]],
        calibration: Figures,  # noqa: ARG002
    ) -> Figures:
        """Micro-F1, macro-F1 and the share of texts with every label right, at 0.5."""
        predicted: list[list[bool]] = []
        for chosen in in_batches(examples):
            batch = encode_texts(tokenizer, [example.texts for example in chosen])
            predicted += (model(**batch).logits > 0).tolist()
        wanted = np.array([example.target for example in examples])
        return multi_label_f1(wanted, np.array(predicted))
