"""The task of choosing: a question is a row of tokens for each of its options."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.stages.documents import document_rows
from ernie_triton.training.datasets import LabelledText
from ernie_triton.training.tasks.base import Batch, Features, TrainingTask
from ernie_triton.training.tasks.evaluation import evaluate_model

if TYPE_CHECKING:
    import torch
    from torch import nn


class ChoiceTraining(TrainingTask):
    """Train one score of each option; `labels` are the right ones' places, int64 [questions].

    The rows of all options stand one after the other in a question's features, and in a batch;
    `options` says how many each question has.
    """

    targets = ("labels", "options")

    def rows(self, examples: Sequence[LabelledText]) -> list[Features]:
        """Return the features of each question: those of its options, joined."""
        return [self._question(example) for example in examples]

    def _question(self, example: LabelledText) -> Features:
        context, question, *options = example.texts
        rows = self.tokenizer.encode(*document_rows([context], [question], options))
        return {
            "input_ids": rows.input_ids,
            "token_type_ids": rows.token_type_ids,
            "lengths": rows.lengths,
            "labels": np.asarray(example.target),
        }

    def collate(self, rows: Sequence[Features]) -> Batch:
        """Stack the rows of all options, padded to the longest, and add the targets."""
        options = [option for row in rows for option in _options(row)]
        return {**self.stack_inputs(options), **self.stack_targets(rows, 0)}

    def stack_targets(self, rows: Sequence[Features], longest: int) -> Batch:  # noqa: ARG002
        """Stack the right places, and the numbers of options."""
        import torch

        return {
            "labels": torch.from_numpy(np.stack([row["labels"] for row in rows])),
            "options": torch.tensor([len(row["lengths"]) for row in rows]),
        }

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the mean cross-entropy over each question's options."""
        import torch

        scores = model(**_alone(self.inputs(batch))).logits[:, 0].float()
        questions = scores.split(batch["options"].tolist())
        losses = [
            torch.nn.functional.cross_entropy(each, label, label_smoothing=smoothing)
            for each, label in zip(questions, batch["labels"], strict=True)
        ]
        return torch.stack(losses).mean()

    def evaluate(self, model: "nn.Module", examples: Sequence[LabelledText]) -> Evaluation:
        """Measure accuracy; see `TrainingTask.evaluate`."""

        def answer(**inputs: Any) -> object:  # noqa: ANN401
            return model(**_alone(inputs))

        return evaluate_model(model, self.parts(), self.data, examples, answer=answer)


def _alone(inputs: "Mapping[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Return inputs in the form of transformers' classes, [rows, 1, longest].

    Each option is then the only one of its question, so questions may have different numbers.
    """
    return {name: tensor[:, None] for name, tensor in inputs.items()}


def _options(row: Features) -> Iterator[Features]:
    ends = np.cumsum(row["lengths"])[:-1]
    parts = (np.split(row[name], ends) for name in ("input_ids", "token_type_ids"))
    for ids, types in zip(*parts, strict=True):
        yield {"input_ids": ids, "token_type_ids": types}
