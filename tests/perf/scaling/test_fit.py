"""The fit finds the costs that made the times, and never negative ones."""

import math

import numpy as np
import pytest

from ernie_triton.perf.scaling.fit import Costs, fit_costs
from ernie_triton.perf.scaling.sweeps import FULL_PLAN, Point

POINTS = [point for sweep in FULL_PLAN.sweeps() for point in sweep.points.values()]


@pytest.mark.parametrize(
    "costs",
    [
        Costs(layer_s=2e-4, flop_s=5e-12, token_s=2e-6),
        Costs(layer_s=0.0, flop_s=5e-12, token_s=0.0),
        Costs(layer_s=1e-3, flop_s=1e-11, token_s=0.0),
    ],
)
def test_times_made_of_known_costs_give_these_back(costs: Costs) -> None:
    found = fit_costs(POINTS, [costs.seconds(point) for point in POINTS])
    assert found.layer_s == pytest.approx(costs.layer_s, rel=1e-6, abs=1e-9)
    assert found.flop_s == pytest.approx(costs.flop_s, rel=1e-6)
    assert found.token_s == pytest.approx(costs.token_s, rel=1e-6, abs=1e-15)


def test_a_cost_that_would_be_negative_is_none() -> None:
    # Each operation is cheaper in larger runs: a constant below 0 would fit best.
    def seconds(point: Point) -> float:
        return 1e-11 * math.pow(point.flops, 1.1)

    found = fit_costs(POINTS, [seconds(point) for point in POINTS])
    assert min(found.layer_s, found.flop_s, found.token_s) >= 0
    assert found.flop_s > 0


def test_small_runs_count_as_much_as_large_ones() -> None:
    costs = Costs(layer_s=1e-4, flop_s=5e-12, token_s=2e-6)
    times = [costs.seconds(point) for point in POINTS]
    largest = max(range(len(POINTS)), key=times.__getitem__)
    times[largest] *= 1.2  # by far the greatest error in seconds
    terms = np.array([[point.shape.layers, point.flops, point.layer_tokens] for point in POINTS])
    by_seconds = np.linalg.lstsq(terms, np.array(times), rcond=None)[0][0]
    found = fit_costs(POINTS, times)
    assert abs(found.layer_s - costs.layer_s) < abs(by_seconds - costs.layer_s) / 3


def test_two_points_are_too_few() -> None:
    with pytest.raises(ValueError, match="2 points"):
        fit_costs(POINTS[:2], [1.0, 2.0])
