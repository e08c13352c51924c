"""Figures taken in turn, A B A B, and their ratios round by round.

A machine that others use is fast in one minute and slow in the next: only figures of the same round
are compared, and what is reported is the median of the rounds' ratios with their range.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Figures = Mapping[str, Sequence[float]]
"""One figure a round, by subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of a figure over the rounds, with its range."""

    median: float
    lowest: float
    highest: float
    rounds: int

    def text(self, unit: str = "") -> str:
        """As tables show it: `2.31x (2.20 to 2.40)`."""
        return f"{self.median:.2f}{unit} ({self.lowest:.2f} to {self.highest:.2f})"


def spread(values: Sequence[float]) -> Spread:
    """Median, least and most of the values, at least one."""
    return Spread(
        median=statistics.median(values),
        lowest=min(values),
        highest=max(values),
        rounds=len(values),
    )


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """How many times `theirs` our figures are, round by round.

    Raises:
        ValueError: the rounds differ in number.
    """
    return spread([one / other for one, other in zip(ours, theirs, strict=True)])


def in_turn(
    subjects: Mapping[str, Callable[[], float]],
    rounds: int,
    progress: Callable[[str], None],
) -> dict[str, list[float]]:
    """Measure every subject once a round.

    Args:
        subjects: what takes a figure, by name.
        rounds: how often each takes its turn.
        progress: is told what is measured next.
    """
    figures: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(1, rounds + 1):
        for name, measure in subjects.items():
            progress(f"round {number} of {rounds}: {name}")
            figures[name].append(measure())
    return figures
