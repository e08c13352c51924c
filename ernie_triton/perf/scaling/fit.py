"""The time of a run as a sum of three costs, fitted: of operations, layers, and their tokens.

time = a · layers + b · arithmetic + c · layers · tokens, by least squares of the relative errors,
no cost negative. The machine's arithmetic is `b` alone; where the others weigh, cost departs from
the arithmetic, and they say why: a layer's operators have to be started, whatever they are given,
and each token is moved between them, whatever its width.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ernie_triton.perf.scaling.sweeps import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds to start a layer, of an operation, and of a token of a layer beside its products."""

    layer_s: float
    flop_s: float
    token_s: float

    def seconds(self, point: Point) -> float:
        """What a run of this point takes by the fit."""
        return self.layers_s(point) + self.arithmetic_s(point) + self.tokens_s(point)

    def arithmetic_s(self, point: Point) -> float:
        """What its products alone take."""
        return self.flop_s * point.flops

    def layers_s(self, point: Point) -> float:
        """What starting its layers takes."""
        return self.layer_s * point.shape.layers

    def tokens_s(self, point: Point) -> float:
        """What its tokens take beside the products."""
        return self.token_s * point.layer_tokens


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
    terms = np.array([[point.shape.layers, point.flops, point.layer_tokens] for point in points])
    # Divided by the time, every point's error counts by its share of it; by the columns' size, the
    # problem is well conditioned.
    weighted = terms / np.array(seconds)[:, None]
    scale = np.linalg.norm(weighted, axis=0)
    solution = _non_negative(weighted / scale, np.ones(len(points))) / scale
    return Costs(layer_s=solution[0], flop_s=solution[1], token_s=solution[2])


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
