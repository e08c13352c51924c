"""Learners of places in a text: long texts are rows of overlapping windows, as they are served."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import groupby

from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tokenizer.windows import Window, WindowEncoder, WindowRules
from ernie_triton.training.datasets import LabelledText
from ernie_triton.training.tasks.base import MOST_WINDOWS, Features, TrainingTask

_TEXTS_AT_ONCE = 256


class WindowTraining(TrainingTask):
    """A row for each window of each example's text."""

    def rows(self, examples: Sequence[LabelledText]) -> list[Features]:
        """The rows of all windows, text by text, with their targets."""
        return [
            row
            for example, windows in self._windows(examples)
            for row in self.window_rows(example, windows)
        ]

    @abstractmethod
    def window_rows(self, example: LabelledText, windows: Sequence[Window]) -> list[Features]:
        """The rows of one example, a row a window."""

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
