"""History of a training: its evaluations and losses, the best evaluation, and when to stop.

It is read from the log of transformers' `TrainerState`. Every checkpoint holds that log, so a
resumed run knows the same as an unbroken one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

POINTS = "points"
LOSS = "loss"
ELAPSED = "elapsed_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One evaluation on the development set.

    Attributes:
        step: optimizer steps done.
        epoch: passes over the training rows done.
        points: the metric, 0 to 100.
        elapsed_s: seconds of training and measuring until then.
    """

    step: int
    epoch: float
    points: float
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All evaluations and logged training losses.

    Attributes:
        evaluations: in the order of their steps.
        losses: step, and mean loss since the step logged before.
    """

    evaluations: tuple[Evaluated, ...]
    losses: tuple[tuple[int, float], ...]

    @property
    def best(self) -> Evaluated | None:
        """The first evaluation with the highest points."""
        return max(self.evaluations, key=lambda one: one.points, default=None)

    def has_stalled(self, patience: int) -> bool:
        """Tell if the last `patience` evaluations brought no progress; never for 0."""
        best = self.best
        if not patience or best is None:
            return False
        return len(self.evaluations) - 1 - self.evaluations.index(best) >= patience


def history_of(log: Sequence[Mapping[str, Any]]) -> History:
    """Read the history from a trainer's log."""
    evaluations = [
        Evaluated(
            step=entry["step"],
            epoch=entry["epoch"],
            points=entry[POINTS],
            elapsed_s=entry[ELAPSED],
        )
        for entry in log
        if POINTS in entry
    ]
    losses = [(entry["step"], entry[LOSS]) for entry in log if LOSS in entry]
    return History(evaluations=tuple(evaluations), losses=tuple(losses))
