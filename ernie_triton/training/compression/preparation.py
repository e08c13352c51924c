"""What every step of compression begins with: the model, its tokenizer and data that fit it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ernie_triton.build.load.settings import config_values, read_config
from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from ernie_triton.build.torch_models.modules import PROBLEM_TYPES
from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import EMBEDDING, QA, SEQ_CLS, TOKEN_CLS, task_named
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.tasks import Batch, TrainingTask, training_task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MAX_LENGTH, MAX_LENGTH_OF_WINDOWS = 128, 384
"""Tokens of a row unless said otherwise, of whole texts and of tasks with windows."""

_ROWS_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedModel:
    """A fine-tuned model, and what measures and trains models of its task.

    Attributes:
        checkpoint: its folder.
        model: in evaluation mode, in float32.
        task: of the data's task.
    """

    checkpoint: Path
    model: "PreTrainedModel"
    task: TrainingTask

    @property
    def data(self) -> DataSet:
        """The data set."""
        return self.task.data

    def points_of(self, model: "PreTrainedModel") -> float:
        """The metric of a model on the development set, in hundredths."""
        evaluation: Evaluation = self.task.evaluate(model, self.data.dev)
        return evaluation.points

    def batches(self, examples: int, *, seed: int = 0) -> Iterator[Batch]:
        """Training examples drawn at random, shortest first; at most so many."""
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
        checkpoint: of a model that ends in a head of the data's task.
        data: with its labels.
        max_length: most tokens of a row; 128, or 384 for tasks with windows, or as many as the
            model has positions for, unless given.

    Raises:
        CheckpointError: the model is of another task, or of other labels.
    """
    model = load_model(checkpoint, task=data.task)
    _check_labels(model, checkpoint, data)
    length = max_length or usual_max_length(checkpoint, data.task)
    tokenizer = load_tokenizer(checkpoint, max_length=length)
    task = training_task(data, tokenizer, max_length=length)
    return PreparedModel(checkpoint=checkpoint, model=model, task=task)


def task_of(checkpoint: Path) -> str:
    """The name of the task that a checkpoint's configuration says it is for.

    Raises:
        CheckpointError: it does not say what the model ends in.
    """
    config = read_config(checkpoint)
    problems = {problem: task for task, problem in PROBLEM_TYPES.items()}
    tasks = {"token": TOKEN_CLS, "span": QA, "vector": EMBEDDING}
    if config.head == "sequence":
        return problems.get(config.problem, SEQ_CLS.name)
    if config.head is None:
        raise CheckpointError(f"the configuration in {checkpoint} does not say its task; name it")
    return tasks[config.head].name


def usual_max_length(checkpoint: Path, task: str) -> int:
    """The most tokens of a row where nothing is said: what its task is served with."""
    usual = MAX_LENGTH_OF_WINDOWS if task_named(task).has_windows else MAX_LENGTH
    positions = config_values(checkpoint).get("max_position_embeddings")
    return min(usual, positions) if isinstance(positions, int) else usual


def _check_labels(model: "PreTrainedModel", checkpoint: Path, data: DataSet) -> None:
    """Scores of a model without label names are taken to be in the data's order."""
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
