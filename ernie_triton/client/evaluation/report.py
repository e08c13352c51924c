"""Precision, recall and F1 of a label, and the layout of the scorers' reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ernie_triton.text_table import Table, text_width


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """Precision, recall and F1 of one label or type, and how often it is the gold label."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def class_score(name: str, *, right: int, answers: int, golds: int) -> ClassScore:
    """The scores of a name from its counts; each is 0 where it would divide by zero."""
    return ClassScore(
        name=name,
        precision=_ratio(right, answers),
        recall=_ratio(right, golds),
        f1=_ratio(2 * right, golds + answers),
        support=golds,
    )


def class_lines(column: str, support: str, scores: Sequence[ClassScore]) -> list[str]:
    """A table of the scores; `column` and `support` head the names and the counts."""
    table = Table((column, "precision", "recall", "f1", support))
    return table.lines(
        [
            (
                one.name,
                f"{one.precision:.4f}",
                f"{one.recall:.4f}",
                f"{one.f1:.4f}",
                f"{one.support}",
            )
            for one in scores
        ]
    )


def figure_lines(figures: Mapping[str, float]) -> list[str]:
    """A line for each figure: counts as they are, measures to four decimals."""
    width = max(map(text_width, figures))
    return [
        f"{name:<{width}}  {value if isinstance(value, int) else f'{value:.4f}'}"
        for name, value in figures.items()
    ]


def _ratio(part: int, whole: int) -> float:
    """The quotient; 0 where `whole` is 0."""
    return part / whole if whole else 0.0
