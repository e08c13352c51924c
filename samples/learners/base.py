"""The learner: what a kind of task brings, and all that training and measuring know of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Generic

from samples.errors import DataError
from samples.examples import Example, Target
from samples.files import read_json_lines

if TYPE_CHECKING:
    import torch
    from transformers import BertTokenizer, PreTrainedModel

BATCH_SIZE = 64

Batch = dict[str, "torch.Tensor"]
"""The model's inputs by name, int64 [rows, longest], and targets under names of the learner."""

Figures = dict[str, float]
"""Measured or calibrated values by name."""


class Learner(ABC, Generic[Target]):
    """How a model of one kind is made, taught and measured."""

    @property
    @abstractmethod
    def model_class(self) -> "type[PreTrainedModel]":
        """Transformers' class of the model."""

    @property
    @abstractmethod
    def config(self) -> Mapping[str, Any]:
        """What the task says in config.json: labels, kind of problem."""

    @abstractmethod
    def read(self, path: Path) -> list[Example[Target]]:
        """Read a data file of the task.

        Raises:
            DataError: the file is missing, empty or not of the task's format.
        """

    @abstractmethod
    def encode(self, tokenizer: "BertTokenizer", examples: Sequence[Example[Target]]) -> Batch:
        """Tokenise a batch; an example may become several rows."""

    @abstractmethod
    def loss(self, model: "PreTrainedModel", batch: Batch, smoothing: float) -> "torch.Tensor":
        """What training lowers; `smoothing` is the share of label smoothing, where it applies."""

    @abstractmethod
    def measure(
        self,
        model: "PreTrainedModel",
        tokenizer: "BertTokenizer",
        examples: Sequence[Example[Target]],
        calibration: Figures,
    ) -> Figures:
        """The task's metrics, shares or correlations; `model` is in evaluation mode."""

    def calibrate(
        self,
        model: "PreTrainedModel",  # noqa: ARG002
        tokenizer: "BertTokenizer",  # noqa: ARG002
        examples: Sequence[Example[Target]],  # noqa: ARG002
    ) -> Figures:
        """Choose on training lines what `measure` needs, as a threshold; most need nothing."""
        return {}

    def vary(self, example: Example[Target], rng: Random) -> Example[Target]:  # noqa: ARG002
        """Change an example in a way that its target survives; most stay as they are."""
        return example

    def easy_examples(
        self,
        examples: Sequence[Example[Target]],  # noqa: ARG002
    ) -> Callable[[Random], Example[Target]] | None:
        """What draws the examples that training starts with, where a schedule asks for such."""
        return None


def read_lines(
    path: Path,
    fields: Sequence[str],
    example_from: "Callable[[dict[str, object]], Example[Target]]",
) -> list[Example[Target]]:
    """Read the examples of a JSON lines file.

    Args:
        path: the file.
        fields: keys that every line must have.
        example_from: makes an example of a line, or raises ValueError with what is wrong.

    Raises:
        DataError: the file is missing or empty, or a line is not of the format.
    """
    examples = []
    for number, record in read_json_lines(path):
        missing = [key for key in fields if key not in record]
        try:
            if missing:
                raise ValueError(f"lacks {missing}")
            examples.append(example_from(record))
        except ValueError as error:
            raise DataError(f"{path}:{number} {error}; is it another task's file?") from error
    return examples


def swap_pair(example: Example[Target], rng: Random) -> Example[Target]:
    """Turn a pair around half of the time, for a symmetric question; a single text stays."""
    if len(example.texts) == 1 or rng.random() < 0.5:
        return example
    return Example(texts=example.texts[::-1], target=example.target)


def in_batches(examples: Sequence[Example[Target]]) -> list[Sequence[Example[Target]]]:
    """The examples in their order, `BATCH_SIZE` at a time."""
    return [examples[i : i + BATCH_SIZE] for i in range(0, len(examples), BATCH_SIZE)]
