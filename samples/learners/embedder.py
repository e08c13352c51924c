"""Embeddings: a bi-encoder whose vectors of paraphrases point the same way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from samples.encoding import encode_texts
from samples.examples import Example
from samples.learners.base import Batch, Figures, Learner, in_batches, read_lines
from samples.learners.classifier import texts_of
from samples.metrics import best_threshold, spearman

if TYPE_CHECKING:
    import torch
    from transformers import BertTokenizer, PreTrainedModel

TEXT_FIELDS = ("sentence1", "sentence2")
TEMPERATURE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder(Learner[bool]):
    """Learns from pairs labelled "1" (the same) or "0"; a text's vector is its tokens' mean."""

    @property
    def model_class(self) -> "type[PreTrainedModel]":
        """The bare encoder."""
        from transformers import ErnieModel

        return ErnieModel

    @property
    def config(self) -> Mapping[str, Any]:
        """Nothing: an encoder has no labels."""
        return {}

    def read(self, path: Path) -> list[Example[bool]]:
        """Read lines in AFQMC's format."""

        def example_from(record: dict[str, object]) -> Example[bool]:
            if record["label"] not in ("0", "1"):
                raise ValueError(f"has the label {record['label']!r}, expected '0' or '1'")
            return Example(texts=texts_of(record, TEXT_FIELDS), target=record["label"] == "1")

        return read_lines(path, (*TEXT_FIELDS, "label"), example_from)

    def encode(self, tokenizer: "BertTokenizer", examples: Sequence[Example[bool]]) -> Batch:
        """Two rows a pair, all first texts before all second ones; add `labels`: bool [pairs]."""
        import torch

        texts = [(example.texts[side],) for side in (0, 1) for example in examples]
        labels = torch.tensor([example.target for example in examples])
        return {**encode_texts(tokenizer, texts), "labels": labels}

    def loss(
        self,
        model: "PreTrainedModel",
        batch: Batch,
        smoothing: float,  # noqa: ARG002
    ) -> "torch.Tensor":
        """In-batch negatives, and every paraphrase above every other labelled pair.

        The first is the cross-entropy of finding a paraphrase among all texts of the batch; the
        second is CoSENT's log(1 + sum of exp((different - same) / temperature)).
        """
        import torch

        labels = batch.pop("labels")
        first, second = embed(model, batch).chunk(2)
        cosines = first @ second.T / TEMPERATURE
        own = cosines.diagonal()
        differences = own[~labels][:, None] - own[labels][None, :]
        ranking = torch.cat([torch.zeros(1), differences.flatten()]).logsumexp(0)
        if not labels.any():
            return ranking
        places = torch.arange(len(labels))[labels]
        found = torch.nn.functional.cross_entropy(cosines[labels], places)
        found_back = torch.nn.functional.cross_entropy(cosines.T[labels], places)
        return found + found_back + ranking

    def calibrate(
        self,
        model: "PreTrainedModel",
        tokenizer: "BertTokenizer",
        examples: Sequence[Example[bool]],
    ) -> Figures:
        """The cosine from which on most training pairs are the same."""
        labels = np.array([example.target for example in examples])
        return {"threshold": best_threshold(labels, pair_cosines(model, tokenizer, examples))}

    def measure(
        self,
        model: "PreTrainedModel",
        tokenizer: "BertTokenizer",
        examples: Sequence[Example[bool]],
        calibration: Figures,
    ) -> Figures:
        """Accuracy of cosine >= threshold, and Spearman's correlation of cosines and labels."""
        labels = np.array([example.target for example in examples])
        cosines = pair_cosines(model, tokenizer, examples)
        return {
            "accuracy": float(((cosines >= calibration["threshold"]) == labels).mean()),
            "spearman": spearman(labels.astype(np.float64), cosines),
        }


def embed(model: "PreTrainedModel", batch: Batch) -> "torch.Tensor":
    """The mean of the tokens of each row, [CLS] and [SEP] included, scaled to length 1."""
    import torch

    states = model(**batch).last_hidden_state
    mask = batch["attention_mask"][:, :, None].to(states.dtype)
    mean = (states * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(mean, dim=-1)


def pair_cosines(
    model: "PreTrainedModel", tokenizer: "BertTokenizer", examples: Sequence[Example[bool]]
) -> npt.NDArray[np.float64]:
    """The cosine of each pair's two vectors."""
    cosines: list[float] = []
    for chosen in in_batches(examples):
        sides = [
            embed(model, encode_texts(tokenizer, [(example.texts[side],) for example in chosen]))
            for side in (0, 1)
        ]
        cosines += (sides[0] * sides[1]).sum(-1).tolist()
    return np.array(cosines)
