"""The base of training tasks, through which training, pruning and distillation see a task."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ernie_triton.build.check.local_answers import PipelineParts
from ernie_triton.build.config import ModelSizes
from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.errors import DatasetError
from ernie_triton.pipeline import Answering, Batching, PipelineSpec
from ernie_triton.tasks import task_named
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.training.datasets import DataSet, LabelledText
from ernie_triton.training.tasks.evaluation import INPUTS, evaluate_model

if TYPE_CHECKING:
    import torch
    from torch import nn

Features: TypeAlias = dict[str, npt.NDArray[Any]]
"""One row: `input_ids` and `token_type_ids`, int32 [tokens], and the task's targets."""

Batch: TypeAlias = "Mapping[str, torch.Tensor]"
"""A collated batch: the model's inputs, int64 [rows, longest], and the targets by name."""

MOST_WINDOWS = 1 << 20
"""Limit of windows per text in training, so high that no text is refused."""


class TrainingTask(ABC):
    """One task's rows, loss and metric for one data set.

    A model is any module that takes `INPUTS`. Its output has the attribute `logits` (seq_cls,
    multi_label, regression: [rows, labels]; token_cls: [rows, longest, labels]; cloze: [rows,
    longest, vocabulary]; choice: [rows, 1] of inputs [rows, 1, longest]), or
    `start_logits` and `end_logits` (qa, extraction: [rows, longest]), or `last_hidden_state`
    (embedding: [rows, longest, hidden]).

    Attributes:
        data: the data set, with its task and labels.
        tokenizer: the tokenizer stage's encoder.
        max_length: most tokens of a row.
        targets: names of the targets in a batch.
        rows_at_once: most rows of a request, and of a run, in an evaluation.
    """

    rows_at_once = 512
    targets: tuple[str, ...] = ("labels",)

    def __init__(self, data: DataSet, tokenizer: TextEncoder, *, max_length: int) -> None:
        self.data = data
        self.tokenizer = tokenizer
        self.max_length = max_length

    @abstractmethod
    def rows(self, examples: Sequence[LabelledText]) -> list[Features]:
        """Return the examples' rows in order; in tasks with windows a long text has several."""

    @abstractmethod
    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the task's own loss of a batch, a float32 scalar.

        Args:
            model: the module to call.
            batch: from `collate`; it is not changed.
            smoothing: share of a label's probability that is spread over all labels, 0 to 1.
        """

    @abstractmethod
    def stack_targets(self, rows: Sequence[Features], longest: int) -> Batch:
        """Return the targets of rows that are padded to `longest` tokens."""

    def collate(self, rows: Sequence[Features]) -> Batch:
        """Stack rows into tensors, padded to the longest, and add their targets."""
        inputs = self.stack_inputs(rows)
        return {**inputs, **self.stack_targets(rows, inputs["input_ids"].shape[1])}

    def stack_inputs(self, rows: Sequence[Features]) -> Batch:
        """Stack the model's inputs of rows, padded to the longest."""
        import torch

        lengths = np.array([len(row["input_ids"]) for row in rows])
        longest = int(lengths.max())
        mask = np.arange(longest) < lengths[:, None]
        pad = self.tokenizer.pad_token_id
        return {
            "input_ids": padded([row["input_ids"] for row in rows], mask, pad),
            "token_type_ids": padded([row["token_type_ids"] for row in rows], mask, 0),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
        }

    def inputs(self, batch: Batch) -> Batch:
        """Select the model's inputs from a batch."""
        return {name: batch[name] for name in INPUTS}

    def features(self, example: LabelledText) -> Features:
        """Return the only row of an example.

        Raises:
            DatasetError: its text is longer than a window, so it has several; call `rows`.
        """
        rows = self.rows([example])
        if len(rows) != 1:
            raise DatasetError(
                f"{self.data.train_path}:{example.line}: the text has {len(rows)} windows of "
                f"{self.max_length} tokens; expected one"
            )
        return rows[0]

    def evaluate(self, model: "nn.Module", examples: Sequence[LabelledText]) -> Evaluation:
        """Measure the task's metric, as `--evaluate` prints it for the served model.

        The model is in evaluation mode meanwhile.

        Raises:
            DatasetError: there are no examples.
        """
        return evaluate_model(model, self.parts(), self.data, examples)

    def parts(self) -> PipelineParts:
        """Make the stages around the model, as a build makes them."""
        spec = PipelineSpec(
            checkpoint=self.data.train_path.parent,
            repository=self.data.train_path.parent,
            task=self.data.task,
            pair=self.data.pair and bool(task_named(self.data.task).pair_texts),
            max_length=self.max_length,
            batching=Batching(max_batch_size=self.rows_at_once),
            answering=self.answering(),
        )
        sizes = ModelSizes(
            labels=self.data.outputs,
            hidden=0,
            lower_case=True,
            pad_token_id=self.tokenizer.pad_token_id,
            vocabulary_size=self.tokenizer.vocabulary_size,
            token_types=2,
        )
        return PipelineParts(spec, sizes, self.tokenizer)

    def answering(self) -> Answering:
        """Return the postprocess settings that a pipeline of this task needs."""
        return Answering(max_windows=MOST_WINDOWS)


def padded(
    values: Sequence[npt.NDArray[Any]], mask: npt.NDArray[np.bool_], filler: int
) -> "torch.Tensor":
    """Pad rows of different lengths to one tensor, int64 [rows, longest].

    Args:
        values: the rows.
        mask: bool [rows, longest], true where a row has a value.
        filler: the value of all other places.
    """
    import torch

    rectangle = np.full(mask.shape, filler, np.int64)
    rectangle[mask] = np.concatenate(values)
    return torch.from_numpy(rectangle)
