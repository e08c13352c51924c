"""The speed is of full batches, and against FP32 where there is such an engine."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.build.check.speed import measure_speed
from tests.build.check.test_exactness import BATCH, GivenScores, Scores, engine


@pytest.mark.parametrize(("most", "size"), [(64, 32), (8, 8)])
def test_speed_is_of_full_batches_within_the_limit(most: int, size: int) -> None:
    runtime = GivenScores({})
    speed = measure_speed(engine(runtime), BATCH, most)
    assert set(runtime.rows) == {size}
    assert (speed.batch, speed.threads) == (size, 2)
    lengths = [3, 2, 5, 4, 2]
    assert speed.mean_tokens == pytest.approx(np.mean([lengths[i % 5] for i in range(size)]))
    assert speed.texts_per_s > 0
    assert speed.processor
    assert speed.ratio_to_fp32 is None


class SlowScores(GivenScores):
    """Takes at least 20 ms a run."""

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, Scores]:
        time.sleep(0.02)
        return super().run(inputs)


def test_the_ratio_is_of_runs_in_turn() -> None:
    runtime, slow = GivenScores({}), SlowScores({})
    speed = measure_speed(engine(runtime), BATCH, 8, engine(slow))
    assert len(runtime.rows) == len(slow.rows)
    assert speed.ratio_to_fp32 is not None
    assert speed.ratio_to_fp32 > 1
