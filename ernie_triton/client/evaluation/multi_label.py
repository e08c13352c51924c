"""How good a multi-label classifier is on lines with a list of labels each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ernie_triton.client.evaluation.gold import GoldLabels
from ernie_triton.client.evaluation.report import (
    ClassScore,
    class_lines,
    class_score,
    figure_lines,
    ratio,
)
from ernie_triton.client.items import Item
from ernie_triton.client.multi_label import LabelSet
from ernie_triton.errors import DatasetError


class MultiLabelScorer:
    """Micro-F1, macro-F1 and the share of exact matches over the lines added.

    Macro-F1 is the plain mean over all labels of the model; F1 is 0 where it would divide by zero.
    As scikit-learn has them for indicator arrays by default.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = GoldLabels(labels)
        self._right: Counter[int] = Counter()
        self._golds: Counter[int] = Counter()
        self._answers: Counter[int] = Counter()
        self._exact = 0
        self._count = 0

    def add(self, item: Item, result: LabelSet) -> None:
        """Count one line, whose `labels` are names or ids.

        Raises:
            DatasetError: it has no such list, or the model does not know a label.
        """
        given = item.record.get("labels")
        if not isinstance(given, list):
            raise DatasetError(
                f'{item.place}: no list of labels; evaluate on lines with "labels": [...]'
            )
        golds = {self._labels.id_of(item, [str(gold)]) for gold in given}
        answers = {label.id for label in result.labels}
        self._golds.update(golds)
        self._answers.update(answers)
        self._right.update(golds & answers)
        self._exact += golds == answers
        self._count += 1

    @property
    def micro_f1(self) -> float:
        """F1 over all labels of all lines together."""
        return ratio(2 * self._right.total(), self._golds.total() + self._answers.total())

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the model's labels."""
        classes = self.classes()
        return sum(score.f1 for score in classes) / len(classes) if classes else 0.0

    @property
    def exact(self) -> float:
        """Share of the lines whose labels are all found, and no other; 0 without lines."""
        return ratio(self._exact, self._count)

    def classes(self) -> list[ClassScore]:
        """The scores of each label of the model, in the order of their ids."""
        return [
            class_score(
                name,
                right=self._right[index],
                answers=self._answers[index],
                golds=self._golds[index],
            )
            for index, name in enumerate(self._labels.names)
        ]

    def lines(self) -> list[str]:
        """The report for a reader."""
        figures = {
            "lines": self._count,
            "micro-F1": self.micro_f1,
            "macro-F1": self.macro_f1,
            "exact match": self.exact,
        }
        return [*figure_lines(figures), "", *class_lines("label", "lines", self.classes())]

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        return {
            "lines": self._count,
            "micro_f1": self.micro_f1,
            "macro_f1": self.macro_f1,
            "exact": self.exact,
            "f1": {score.name: score.f1 for score in self.classes()},
        }
