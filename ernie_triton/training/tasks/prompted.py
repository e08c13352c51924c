"""Information extraction: a row for each prompt and window, a target for each token."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ernie_triton.arrays import Int32
from ernie_triton.pipeline import Answering
from ernie_triton.tokenizer.prompt_rows import PromptEncoder
from ernie_triton.training.datasets import Extracted, LabelledText, PromptAnswers
from ernie_triton.training.tasks.base import MOST_WINDOWS, Batch, Features, TrainingTask, padded

if TYPE_CHECKING:
    import torch
    from torch import nn

_MOST_NAMES, _DEEPEST = 1 << 16, 64


class ExtractionTraining(TrainingTask):
    """Train the first and the last token of every span, each by itself.

    `starts` and `ends` are int64 [rows, longest], 1 at those tokens. A window has the spans that
    stand in it as a whole.
    """

    rows_at_once = 64
    targets = ("starts", "ends")

    def answering(self) -> Answering:
        """Lift the limits of a server: data are not a stranger's requests."""
        return Answering(
            max_windows=MOST_WINDOWS,
            max_prompts=MOST_WINDOWS,
            max_schema_names=_MOST_NAMES,
            max_schema_depth=_DEEPEST,
        )

    def rows(self, examples: Sequence[LabelledText]) -> list[Features]:
        """Return the rows of all prompts and windows, text by text."""
        encoder = PromptEncoder(
            self.tokenizer,
            max_length=self.max_length,
            overlap=self.parts().spec.overlap,
            split_sentences=False,
        )
        return [row for example in examples for row in _rows_of(example, encoder)]

    def stack_targets(self, rows: Sequence[Features], longest: int) -> Batch:
        """Pad the targets."""
        lengths = np.array([len(row["starts"]) for row in rows])
        mask = np.arange(longest) < lengths[:, None]
        return {name: padded([row[name] for row in rows], mask, 0) for name in self.targets}

    def loss(self, model: "nn.Module", batch: Batch, *, smoothing: float = 0.0) -> "torch.Tensor":
        """Return the mean binary cross-entropy of both ends over all real tokens.

        Smoothing has no effect.
        """
        import torch

        del smoothing
        found = model(**self.inputs(batch))
        mask = batch["attention_mask"]
        losses = [
            torch.nn.functional.binary_cross_entropy_with_logits(
                logits.float(), batch[name].float(), weight=mask.float(), reduction="sum"
            )
            for logits, name in zip(
                (found.start_logits, found.end_logits), self.targets, strict=True
            )
        ]
        return (losses[0] + losses[1]) / (2 * mask.sum())


def _rows_of(example: LabelledText, encoder: PromptEncoder) -> Iterator[Features]:
    target = example.target
    if not isinstance(target, Extracted):
        return
    text = encoder.texts(example.texts[:1])[0]
    prompts = encoder.prompts([one.prompt for one in target.prompts])
    for answers, prompt in zip(target.prompts, prompts, strict=True):
        spans = [_tokens(text.tokens.spans, *span) for span in answers.spans]
        options = [_tokens(prompt.spans, *place) for place in _places(answers)]
        for window in encoder.windows(prompt, text):
            tensors = {
                name: rows[0] for name, rows in encoder.tensors([(prompt, text, window)]).items()
            }
            starts = np.zeros_like(tensors["input_ids"])
            ends = np.zeros_like(starts)
            for first, last in options:
                if first <= last:
                    starts[1 + first] = ends[1 + last] = 1
            shift = len(prompt.ids) + encoder.before_text - window.first
            for first, last in spans:
                if window.first <= first <= last < window.last:
                    starts[first + shift] = ends[last + shift] = 1
            yield {**tensors, "starts": starts, "ends": ends}


def _places(answers: PromptAnswers) -> Iterator[tuple[int, int]]:
    """Yield the characters of the prompt's options that are right."""
    for option in answers.options:
        start = answers.prompt.rfind(option)
        yield start, start + len(option)


def _tokens(spans: Int32, start: int, end: int) -> tuple[int, int]:
    """Return the first and the last token that overlap characters; none: an empty span."""
    overlap = np.flatnonzero((spans[:, 0] < end) & (spans[:, 1] > start))
    return (int(overlap[0]), int(overlap[-1])) if len(overlap) else (0, -1)
