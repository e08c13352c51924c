"""What a training has seen so far, and what follows from it: the best evaluation, when to stop.

It is read from the log that transformers' `TrainerState` keeps, which every checkpoint holds; so a
resumed run knows of it what an unbroken one does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

POINTS = "points"
LOSS = "loss"
ELAPSED = "elapsed_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The metric on the development set after a step.

    Attributes:
        step: optimizer steps done.
        epoch: passes over the training rows done.
        points: the metric in hundredths.
        elapsed_s: seconds of training and measuring until then.
    """

    step: int
    epoch: float
    points: float
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All evaluations, and the mean training losses between the steps at which they were noted.

    Attributes:
        evaluations: in the order of their steps.
        losses: step, and mean loss of the steps since the one noted before.
    """

    evaluations: tuple[Evaluated, ...]
    losses: tuple[tuple[int, float], ...]

    @property
    def best(self) -> Evaluated | None:
        """The first evaluation with the highest points."""
        return max(self.evaluations, key=lambda one: one.points, default=None)

    def has_stalled(self, patience: int) -> bool:
        """Whether the last so many evaluations brought no progress; never for 0."""
        best = self.best
        if not patience or best is None:
            return False
        return len(self.evaluations) - 1 - self.evaluations.index(best) >= patience


def history_of(log: Sequence[Mapping[str, Any]]) -> History:
    """The history that a trainer's log tells."""
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
