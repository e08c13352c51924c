"""Take figures in turn (A B A B), and compare them round by round.

The speed of a shared machine changes from minute to minute. So only figures of the same round are
compared, and the result is the median of the rounds' ratios with their range.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Figures = Mapping[str, Sequence[float]]
"""Figures by subject, one a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of a figure over the rounds, with its range."""

    median: float
    lowest: float
    highest: float
    rounds: int

    def text(self, unit: str = "") -> str:
        """Format for a table: `2.31x (2.20 to 2.40)`."""
        return f"{self.median:.2f}{unit} ({self.lowest:.2f} to {self.highest:.2f})"


def spread(values: Sequence[float]) -> Spread:
    """Return the median and range of at least one value."""
    return Spread(
        median=statistics.median(values),
        lowest=min(values),
        highest=max(values),
        rounds=len(values),
    )


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Divide our figures by `theirs`, round by round.

    Raises:
        ValueError: the numbers of rounds differ.
    """
    return spread([one / other for one, other in zip(ours, theirs, strict=True)])


def in_turn(
    subjects: Mapping[str, Callable[[], float]],
    rounds: int,
    progress: Callable[[str], None],
) -> dict[str, list[float]]:
    """Measure every subject once a round.

    Args:
        subjects: functions that take one figure, by subject.
        rounds: turns of each subject.
        progress: receives a line before each measurement.
    """
    figures: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(1, rounds + 1):
        for name, measure in subjects.items():
            progress(f"round {number} of {rounds}: {name}")
            figures[name].append(measure())
    return figures
