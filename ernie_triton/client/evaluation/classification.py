"""How good a classifier is on labelled lines of CLUE's format; the memory is that of the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ernie_triton.client.evaluation.gold import GoldLabels
from ernie_triton.client.evaluation.report import ClassScore, class_lines, class_score, figure_lines
from ernie_triton.client.items import Item
from ernie_triton.client.seq_cls import Classification
from ernie_triton.errors import DatasetError

_GOLD_KEYS = ("label_desc", "label_des", "label")


class ClassificationScorer:
    """Accuracy and macro-F1 over the lines added.

    Macro-F1 is the plain mean of F1 over the labels that are the gold label or the answer of at
    least one line; F1 is 0 where it would divide by zero. Both as scikit-learn has them by default.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = GoldLabels(labels)
        self._pairs: Counter[tuple[int, int]] = Counter()

    def add(self, item: Item, result: Classification) -> None:
        """Count one line.

        Its gold label is found by the name that the line describes it with, or by `label` as a
        name or an id.

        Raises:
            DatasetError: the gold label is missing, or the model does not know it.
        """
        golds = [str(item.record[key]) for key in _GOLD_KEYS if key in item.record]
        if not golds:
            raise DatasetError(
                f"{item.place}: no label, expected label or label_desc; evaluate on a labelled "
                "split (train or dev)"
            )
        self._pairs[self._labels.id_of(item, golds), result.best.id] += 1

    @property
    def count(self) -> int:
        """Lines added."""
        return self._pairs.total()

    @property
    def accuracy(self) -> float:
        """Share of the lines whose answer is their gold label; 0 without lines."""
        right = sum(count for (gold, answer), count in self._pairs.items() if gold == answer)
        return right / self.count if self.count else 0.0

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels seen; 0 without lines."""
        classes = self.classes()
        return sum(score.f1 for score in classes) / len(classes) if classes else 0.0

    def classes(self) -> list[ClassScore]:
        """The scores of each label seen, in the order of their ids."""
        golds: Counter[int] = Counter()
        answers: Counter[int] = Counter()
        for (gold, answer), count in self._pairs.items():
            golds[gold] += count
            answers[answer] += count
        return [
            class_score(
                self._labels.names[index],
                right=self._pairs[index, index],
                answers=answers[index],
                golds=golds[index],
            )
            for index in sorted({*golds, *answers})
        ]

    def lines(self) -> list[str]:
        """The report for a reader."""
        figures = {"lines": self.count, "accuracy": self.accuracy, "macro-F1": self.macro_f1}
        return [*figure_lines(figures), "", *class_lines("label", "lines", self.classes())]

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        return {
            "lines": self.count,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "f1": {score.name: score.f1 for score in self.classes()},
        }
