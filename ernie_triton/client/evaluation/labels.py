"""Score labels on lines of CLUE's format: one gold label a line, or a list of them.

The scorers keep counts alone, so any number of lines takes the same memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ernie_triton.client.evaluation.report import ClassScore, class_lines, class_score, figure_lines
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.multi_label import LabelSet
from ernie_triton.client.tasks.seq_cls import Classification
from ernie_triton.errors import DatasetError

_GOLD_KEYS = ("label_desc", "label_des", "label")
_SHOWN_LABELS = 20


class ClassificationScorer:
    """Accuracy and macro-F1 over the lines added.

    Macro-F1 is the mean of F1 over the labels that are the gold label or the answer of at least one
    line. F1 is 0 where it would divide by zero. Both equal scikit-learn's defaults.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = _GoldLabels(labels)
        self._pairs: Counter[tuple[int, int]] = Counter()

    def add(self, item: Item, result: Classification) -> None:
        """Count one line.

        The gold label is the first known name under `label_desc`, `label_des` or `label`, or the
        id under `label`.

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


class MultiLabelScorer:
    """Micro-F1, macro-F1 and the share of exact matches over the lines added.

    Macro-F1 is the mean over all labels of the model. F1 is 0 where it would divide by zero. All
    equal scikit-learn's defaults for indicator arrays.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = _GoldLabels(labels)
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
        right, answers, golds = self._right, self._answers, self._golds
        return class_score(
            "all", right=right.total(), answers=answers.total(), golds=golds.total()
        ).f1

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the model's labels."""
        classes = self.classes()
        return sum(score.f1 for score in classes) / len(classes) if classes else 0.0

    @property
    def exact(self) -> float:
        """Share of the lines whose labels are all found, and no other; 0 without lines."""
        return self._exact / self._count if self._count else 0.0

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


class _GoldLabels:
    """The labels of the model, by name and by id."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._id_from_name = {name: index for index, name in reversed(list(enumerate(names)))}

    def id_of(self, item: Item, golds: Sequence[str]) -> int:
        """The id of the first name that the model knows; else the last name, read as an id.

        Raises:
            DatasetError: the model does not know it.
        """
        for gold in golds:
            if gold in self._id_from_name:
                return self._id_from_name[gold]
        if golds[-1].isdecimal() and int(golds[-1]) < len(self.names):
            return int(golds[-1])
        known = ", ".join(self.names[:_SHOWN_LABELS])
        more = ", …" if len(self.names) > _SHOWN_LABELS else ""
        raise DatasetError(
            f"{item.place}: the gold label {' / '.join(golds)} is none of the model's "
            f"{len(self.names)} ({known}{more}); evaluate with the labels it was trained on"
        )
