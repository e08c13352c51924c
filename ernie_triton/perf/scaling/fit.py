"""Fit the time of a run as a sum of three costs: of operations, layers, and their tokens.

time = a · layers + b · operations + c · layers · tokens, by least squares of the relative errors,
with no negative cost. `b` is the machine's arithmetic. `a` is the cost of starting a layer's
operators, at any input; `c` is the cost of moving a token between them, at any width.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ernie_triton.perf.scaling.sweeps import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds to start a layer, for an operation, and for a token of a layer besides products."""

    layer_s: float
    flop_s: float
    token_s: float

    def seconds(self, point: Point) -> float:
        """Return the fitted seconds of a run."""
        return self.layers_s(point) + self.arithmetic_s(point) + self.tokens_s(point)

    def arithmetic_s(self, point: Point) -> float:
        """Return the seconds of its products alone."""
        return self.flop_s * point.flops

    def layers_s(self, point: Point) -> float:
        """Return the seconds to start its layers."""
        return self.layer_s * point.shape.layers

    def tokens_s(self, point: Point) -> float:
        """Return the seconds of its tokens beside the products."""
        return self.token_s * point.layer_tokens


def fit_costs(points: Sequence[Point], seconds: Sequence[float]) -> Costs:
    """Find the costs that explain the measured times best.

    Args:
        points: at least three.
        seconds: time of a run of each point.

    Raises:
        ValueError: there are fewer than three points.
    """
    if len(points) < 3:
        raise ValueError(f"{len(points)} points do not decide three costs")
    terms = np.array([[point.shape.layers, point.flops, point.layer_tokens] for point in points])
    # Dividing by the times makes errors relative; dividing by the columns' sizes makes the problem
    # well conditioned.
    weighted = terms / np.array(seconds)[:, None]
    scale = np.linalg.norm(weighted, axis=0)
    solution = _non_negative(weighted / scale, np.ones(len(points))) / scale
    return Costs(layer_s=solution[0], flop_s=solution[1], token_s=solution[2])


def _non_negative(
    matrix: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Solve least squares without negative parts, trying all subsets of the few columns."""
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
