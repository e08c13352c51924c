"""TrainingTask of question answering: the first and the last token of the answer in its context."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ernie_triton.pipeline import Answering
from ernie_triton.tasks import NO_SPAN
from ernie_triton.tokenizer.windows import Window
from ernie_triton.training.datasets import AnswerSpan, LabelledText
from ernie_triton.training.tasks.base import MOST_WINDOWS, Batch, Features
from ernie_triton.training.tasks.windows import WindowTraining

if TYPE_CHECKING:
    import torch
    from torch import nn

NO_ANSWER = 0
"""The token, [CLS], that stands for "no answer here"."""


class QaTraining(WindowTraining):
    """Learns where the answer starts and ends.

    `start_positions` and `end_positions` are int64 [rows], tokens of the row; both are 0 where the
    window does not hold the whole answer, or there is none.
    """

    targets = ("start_positions", "end_positions")

    def answering(self) -> Answering:
        """A model that has learned questions without an answer may give none."""
        unanswered = any(
            isinstance(one.target, AnswerSpan) and not one.target.texts for one in self.data.train
        )
        return Answering(
            max_windows=MOST_WINDOWS, no_answer_threshold=0.0 if unanswered else math.inf
        )

    def window_rows(self, example: LabelledText, windows: Sequence[Window]) -> list[Features]:
        """The rows of one question and its context."""
        inside = [_answer_tokens(window, example) for window in windows]
        # By their place in the whole context, to see which windows hold all of them.
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
        """The places as tensors."""
        import torch

        return {
            name: torch.from_numpy(np.stack([row[name] for row in rows]).astype(np.int64))
            for name in self.targets
        }

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """The mean of both ends' cross-entropy over a row's real tokens.

        Smoothing would spread over tokens that can be no answer, so it changes nothing here.
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
    """The first token of the context in a window."""
    return int(np.argmax(window.spans[:, 0] != NO_SPAN))


def _answer_tokens(window: Window, example: LabelledText) -> list[int]:
    """The tokens of a window that overlap the answer's characters."""
    answer = example.target
    if not isinstance(answer, AnswerSpan) or answer.start < 0:
        return []
    starts, ends = window.spans[:, 0], window.spans[:, 1]
    overlap = (starts != NO_SPAN) & (starts < answer.start + len(answer.text))
    return [int(place) for place in np.flatnonzero(overlap & (ends > answer.start))]
