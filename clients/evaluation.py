"""How good a classifier is, measured through the server on labelled lines of CLUE's format.

Gets every line with its result from a command line, and counts; the memory is that of the counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clients.seq_cls import Classification
from clients.source import Item
from clients.table import Table
from ernie_triton.errors import DatasetError

_GOLD_KEYS = ("label_desc", "label_des", "label")
_SHOWN_LABELS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """Precision, recall and F1 of one label, and how many lines have it as their gold label."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


class ClassificationScorer:
    """Accuracy and macro-F1 over the lines added.

    Macro-F1 is the plain mean of F1 over the labels that are the gold label or the answer of at
    least one line; F1 is 0 where it would divide by zero. Both as scikit-learn has them by default.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._id_from_name = {name: index for index, name in reversed(list(enumerate(labels)))}
        self._pairs: Counter[tuple[int, int]] = Counter()

    def add(self, item: Item, result: Classification) -> None:
        """Count one line.

        Raises:
            DatasetError: its gold label is missing, or the model does not know it.
        """
        self._pairs[self._gold_id(item), result.best.id] += 1

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
            ClassScore(
                name=self._labels[index],
                precision=_ratio(self._pairs[index, index], answers[index]),
                recall=_ratio(self._pairs[index, index], golds[index]),
                f1=_ratio(2 * self._pairs[index, index], golds[index] + answers[index]),
                support=golds[index],
            )
            for index in sorted({*golds, *answers})
        ]

    def lines(self) -> list[str]:
        """The report for a reader."""
        table = Table(("label", "precision", "recall", "f1", "lines"))
        figures = [
            (
                one.name,
                f"{one.precision:.4f}",
                f"{one.recall:.4f}",
                f"{one.f1:.4f}",
                f"{one.support}",
            )
            for one in self.classes()
        ]
        head = [
            f"lines     {self.count}",
            f"accuracy  {self.accuracy:.4f}",
            f"macro-F1  {self.macro_f1:.4f}",
            "",
        ]
        return head + table.lines(figures)

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        return {
            "lines": self.count,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "f1": {score.name: score.f1 for score in self.classes()},
        }

    def _gold_id(self, item: Item) -> int:
        """The label's id: by the name that the line describes it with, by `label` as name or id."""
        golds = [str(item.record[key]) for key in _GOLD_KEYS if key in item.record]
        if not golds:
            raise DatasetError(
                f"line {item.line}: no label, expected label or label_desc; evaluate on a labelled "
                "split (train or dev)"
            )
        for gold in golds:
            if gold in self._id_from_name:
                return self._id_from_name[gold]
        if golds[-1].isdecimal() and int(golds[-1]) < len(self._labels):
            return int(golds[-1])
        known = ", ".join(self._labels[:_SHOWN_LABELS])
        more = ", …" if len(self._labels) > _SHOWN_LABELS else ""
        raise DatasetError(
            f"line {item.line}: the gold label {' / '.join(golds)} is none of the model's "
            f"{len(self._labels)} ({known}{more}); evaluate with the labels it was trained on"
        )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
