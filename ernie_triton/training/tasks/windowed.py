"""Tasks whose long texts become rows of overlapping windows: token classification and qa."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ernie_triton.pipeline import Answering, PipelineSpec
from ernie_triton.tasks import NO_SPAN
from ernie_triton.tokenizer.windows import Window, WindowEncoder, WindowRules
from ernie_triton.training.datasets import AnswerSpan, LabelledText
from ernie_triton.training.tasks.base import MOST_WINDOWS, Batch, Features, TrainingTask, padded

if TYPE_CHECKING:
    import torch
    from torch import nn

IGNORED = -100
"""Target of special tokens, padding and all pieces of a word but the first."""

NO_ANSWER = 0
"""Place of [CLS], the target of windows without the answer."""

_TEXTS_AT_ONCE = 256


class WindowTraining(TrainingTask):
    """Base of tasks with one row for each window of each text."""

    def rows(self, examples: Sequence[LabelledText]) -> list[Features]:
        """Return the rows of all windows, text by text, with their targets."""
        return [
            row
            for example, windows in self._windows(examples)
            for row in self.window_rows(example, windows)
        ]

    @abstractmethod
    def window_rows(self, example: LabelledText, windows: Sequence[Window]) -> list[Features]:
        """Return one row for each window of an example."""

    def _windows(
        self, examples: Sequence[LabelledText]
    ) -> Iterator[tuple[LabelledText, list[Window]]]:
        spec: PipelineSpec = self.parts().spec
        rules = WindowRules(
            max_length=self.max_length, overlap=spec.overlap, max_windows=MOST_WINDOWS
        )
        encoder = WindowEncoder(self.tokenizer, rules)
        for start in range(0, len(examples), _TEXTS_AT_ONCE):
            some = examples[start : start + _TEXTS_AT_ONCE]
            columns = zip(*(example.texts for example in some), strict=True)
            *questions, covered = (list(column) for column in columns)
            windows = encoder.encode(covered, questions[0] if questions else None)
            for item, group in groupby(windows, key=lambda window: window.item):
                yield some[item], list(group)


class TokenClsTraining(WindowTraining):
    """Train the label of each word at its first piece; `labels` are int64 [rows, longest]."""

    def window_rows(self, example: LabelledText, windows: Sequence[Window]) -> list[Features]:
        """Return the rows of one text; a word has the label of its first character."""
        ids = {name: index for index, name in enumerate(self.data.labels)}
        of_characters = np.array([ids[str(name)] for name in _names(example)], np.int32)
        rows = []
        for window in windows:
            begins = window.spans[:, 2] == 1
            labels = np.full(len(window.input_ids), IGNORED, np.int32)
            labels[begins] = of_characters[window.spans[begins, 0]]
            rows.append(
                {
                    "input_ids": window.input_ids,
                    "token_type_ids": window.token_type_ids,
                    "labels": labels,
                }
            )
        return rows

    def stack_targets(self, rows: Sequence[Features], longest: int) -> Batch:
        """Pad the labels."""
        lengths = np.array([len(row["labels"]) for row in rows])
        mask = np.arange(longest) < lengths[:, None]
        return {"labels": padded([row["labels"] for row in rows], mask, IGNORED)}

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the cross-entropy of the words' labels; 0 for a batch without words."""
        import torch

        logits = model(**self.inputs(batch)).logits.float()
        labels = batch["labels"].flatten()
        total = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels, label_smoothing=smoothing, reduction="sum"
        )
        return total / (labels != IGNORED).sum().clamp(min=1)


def _names(example: LabelledText) -> Sequence[object]:
    return example.target if isinstance(example.target, tuple) else ()


class QaTraining(WindowTraining):
    """Train the first and the last token of the answer.

    `start_positions` and `end_positions` are int64 [rows], token places in the row. Both are 0 in
    windows without the whole answer.
    """

    targets = ("start_positions", "end_positions")

    def answering(self) -> Answering:
        """Allow "no answer" if the training data has questions without one."""
        unanswered = any(
            isinstance(one.target, AnswerSpan) and not one.target.texts for one in self.data.train
        )
        return Answering(
            max_windows=MOST_WINDOWS, no_answer_threshold=0.0 if unanswered else math.inf
        )

    def window_rows(self, example: LabelledText, windows: Sequence[Window]) -> list[Features]:
        """Return the rows of one question and its context."""
        inside = [_answer_tokens(window, example) for window in windows]
        # Places in the whole context tell which windows hold the whole answer.
        tokens = [
            place - _head(window) + window.first_token
            for window, places in zip(windows, inside, strict=True)
            for place in places
        ]
        rows = []
        for window, places in zip(windows, inside, strict=True):
            is_whole = len(places) > 0 and len(places) == max(tokens) - min(tokens) + 1
            first, last = (places[0], places[-1]) if is_whole else (NO_ANSWER, NO_ANSWER)
            rows.append(
                {
                    "input_ids": window.input_ids,
                    "token_type_ids": window.token_type_ids,
                    "start_positions": np.asarray(first),
                    "end_positions": np.asarray(last),
                }
            )
        return rows

    def stack_targets(self, rows: Sequence[Features], longest: int) -> Batch:  # noqa: ARG002
        """Stack the places into tensors."""
        import torch

        return {
            name: torch.from_numpy(np.stack([row[name] for row in rows]).astype(np.int64))
            for name in self.targets
        }

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the mean of both ends' cross-entropy over a row's real tokens.

        Smoothing has no effect: it would spread over tokens that cannot be answers.
        """
        import torch

        del smoothing
        found = model(**self.inputs(batch))
        padding = batch["attention_mask"] == 0
        losses = [
            torch.nn.functional.cross_entropy(
                logits.float().masked_fill(padding, -1e4), batch[name]
            )
            for logits, name in zip(
                (found.start_logits, found.end_logits), self.targets, strict=True
            )
        ]
        return (losses[0] + losses[1]) / 2


def _head(window: Window) -> int:
    """Return the place of the context's first token in a window."""
    return int(np.argmax(window.spans[:, 0] != NO_SPAN))


def _answer_tokens(window: Window, example: LabelledText) -> list[int]:
    """Return the places of a window's tokens that overlap the answer."""
    answer = example.target
    if not isinstance(answer, AnswerSpan) or answer.start < 0:
        return []
    starts, ends = window.spans[:, 0], window.spans[:, 1]
    overlap = (starts != NO_SPAN) & (starts < answer.start + len(answer.text))
    return [int(place) for place in np.flatnonzero(overlap & (ends > answer.start))]
