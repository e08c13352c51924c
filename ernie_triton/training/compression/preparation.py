"""Prepare a step of compression: load the model, its tokenizer and its training task."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ernie_triton.build.load.settings import config_values, read_config, trained_task
from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import task_named
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.tasks import Batch, TrainingTask, training_task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_MAX_LENGTH, _MAX_LENGTH_OF_WINDOWS = 128, 384
"""Default most tokens of a row, for whole texts and for tasks with windows."""

_ROWS_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedModel:
    """A fine-tuned model with the training task of its data.

    Attributes:
        checkpoint: its folder.
        model: in evaluation mode, in float32.
        task: the training task of the data.
    """

    checkpoint: Path
    model: "PreTrainedModel"
    task: TrainingTask

    @property
    def data(self) -> DataSet:
        """The data set."""
        return self.task.data

    def points_of(self, model: "PreTrainedModel") -> float:
        """Return the metric of a model on the development set, 0 to 100."""
        evaluation: Evaluation = self.task.evaluate(model, self.data.dev)
        return evaluation.points

    def batches(self, examples: int, *, seed: int = 0) -> Iterator[Batch]:
        """Draw training examples at random, at most `examples`, and collate them by length."""
        count = len(self.data.train)
        chosen = np.random.default_rng(seed).permutation(count)[:examples]
        rows = self.task.rows([self.data.train[index] for index in chosen])
        rows.sort(key=lambda row: len(row["input_ids"]))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            yield self.task.collate(rows[start : start + _ROWS_AT_ONCE])


def prepared_model(
    checkpoint: Path, data: DataSet, *, max_length: int | None = None
) -> PreparedModel:
    """Load a fine-tuned model for data of its task.

    Args:
        checkpoint: a model with a head of the data's task.
        data: the data set.
        max_length: most tokens of a row; None for the default of `usual_max_length`.

    Raises:
        CheckpointError: the model has another task or other labels.
    """
    model = load_model(checkpoint, task=data.task)
    _check_labels(model, checkpoint, data)
    length = max_length or usual_max_length(checkpoint, data.task)
    tokenizer = load_tokenizer(checkpoint, max_length=length)
    task = training_task(data, tokenizer, max_length=length)
    return PreparedModel(checkpoint=checkpoint, model=model, task=task)


def task_of(checkpoint: Path) -> str:
    """Return the name of the task in a checkpoint's configuration.

    Raises:
        CheckpointError: the configuration does not name a head.
    """
    config = read_config(checkpoint)
    if config.head is None:
        raise CheckpointError(
            f"the configuration in {checkpoint} does not name its task; add --task"
        )
    return trained_task(config.head, config.problem).name


def usual_max_length(checkpoint: Path, task: str) -> int:
    """Return the default most tokens of a row: 128, with windows 384, within the positions."""
    usual = _MAX_LENGTH_OF_WINDOWS if task_named(task).has_windows else _MAX_LENGTH
    positions = config_values(checkpoint).get("max_position_embeddings")
    return min(usual, positions) if isinstance(positions, int) else usual


def _check_labels(model: "PreTrainedModel", checkpoint: Path, data: DataSet) -> None:
    """Check that model and data agree on labels; unnamed scores are in the data's order."""
    if not data.labels:
        return
    by_id: Mapping[int, str] = cast("Mapping[int, str]", model.config.id2label)
    found = tuple(by_id[index] for index in sorted(by_id))
    unnamed = tuple(f"LABEL_{index}" for index in range(len(data.labels)))
    if found not in (data.labels, unnamed):
        raise CheckpointError(
            f"{checkpoint} scores the labels {_shown(found)}, but {data.train_path} has "
            f"{_shown(data.labels)}; expected the data that the model was fine-tuned on, or a "
            f"labels.json beside it with the model's order"
        )


def _shown(labels: tuple[str, ...]) -> str:
    few = ", ".join(labels[:6])
    return f"{few}, … ({len(labels)})" if len(labels) > 6 else few
