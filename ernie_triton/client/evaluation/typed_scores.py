"""Precision, recall and F1 of what is found in texts, all together and for each type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from ernie_triton.client.evaluation.report import ClassScore, class_lines, class_score, figure_lines


class TypedScores:
    """Counts what is right by type; the base of the scorers of such answers."""

    def __init__(self) -> None:
        self._right: Counter[str] = Counter()
        self._golds: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()
        self._lines = 0

    def count(
        self, golds: AbstractSet[tuple[Any, ...]], answers: AbstractSet[tuple[Any, ...]]
    ) -> None:
        """Count one line: its labels, and its answers, each a type and what has to be right."""
        self._golds.update(gold[0] for gold in golds)
        self._answers.update(answer[0] for answer in answers)
        self._right.update(both[0] for both in golds & answers)
        self._lines += 1

    @property
    def overall(self) -> ClassScore:
        """The scores of all entities together."""
        return class_score(
            "all",
            right=self._right.total(),
            answers=self._answers.total(),
            golds=self._golds.total(),
        )

    def types(self) -> list[ClassScore]:
        """The scores of each type seen, by name."""
        return [
            class_score(
                kind,
                right=self._right[kind],
                answers=self._answers[kind],
                golds=self._golds[kind],
            )
            for kind in sorted({*self._golds, *self._answers})
        ]

    def lines(self) -> list[str]:
        """The report for a reader."""
        overall = self.overall
        figures = {
            "lines": self._lines,
            "entities": overall.support,
            "precision": overall.precision,
            "recall": overall.recall,
            "F1": overall.f1,
        }
        return [*figure_lines(figures), "", *class_lines("type", "entities", self.types())]

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        return {
            "lines": self._lines,
            **_json_from_score(self.overall),
            "types": {score.name: _json_from_score(score) for score in self.types()},
        }


def _json_from_score(score: ClassScore) -> dict[str, object]:
    return {
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
        "entities": score.support,
    }
