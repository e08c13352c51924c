"""The time of a run as a sum of three costs, fitted: per run, per operation, per value written.

time = a + b · arithmetic + c · values, by least squares of the relative errors, no cost negative.
The machine's arithmetic is `b` alone; where `a` and `c` weigh, cost departs from the arithmetic,
and they say why.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perf.scaling.sweeps import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds of a run, of an operation, and of a value written."""

    run_s: float
    flop_s: float
    value_s: float

    def seconds(self, point: Point) -> float:
        """What a run of this point takes by the fit."""
        return self.run_s + self.arithmetic_s(point) + self.value_s * point.values

    def arithmetic_s(self, point: Point) -> float:
        """What its products alone take."""
        return self.flop_s * point.flops


def fit_costs(points: Sequence[Point], seconds: Sequence[float]) -> Costs:
    """The costs that explain the measured times best.

    Args:
        points: at least three.
        seconds: the time of a run of each.

    Raises:
        ValueError: there are fewer.
    """
    if len(points) < 3:
        raise ValueError(f"{len(points)} points do not decide three costs")
    terms = np.array([[1.0, point.flops, point.values] for point in points])
    # Divided by the time, every point's error counts by its share of it; by the columns' size, the
    # problem is well conditioned.
    weighted = terms / np.array(seconds)[:, None]
    scale = np.linalg.norm(weighted, axis=0)
    solution = _non_negative(weighted / scale, np.ones(len(points))) / scale
    return Costs(run_s=solution[0], flop_s=solution[1], value_s=solution[2])


def _non_negative(
    matrix: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Least squares without negative parts: the best of all subsets of the few columns."""
    columns = matrix.shape[1]
    best, error = np.zeros(columns), float(wanted @ wanted)
    for count in range(1, columns + 1):
        for chosen in itertools.combinations(range(columns), count):
            part = matrix[:, chosen]
            solution = np.linalg.lstsq(part, wanted, rcond=None)[0]
            rest = part @ solution - wanted
            if solution.min() >= 0 and float(rest @ rest) < error:
                error = float(rest @ rest)
                best = np.zeros(columns)
                best[list(chosen)] = solution
    return best
