"""Invalid number formats are refused; rounded weights equal those of plain loops."""

import math

import numpy as np
import pytest

from ernie_triton.build.graph.numerics import FP32, FloatType, Numerics, int8_step, int8_weight


def test_a_graph_is_fp32_without_int8_unless_it_is_said() -> None:
    assert (FP32.compute, dict(FP32.input_scales)) == ("fp32", {})
    assert FP32.compute_type is np.float32
    assert Numerics(compute="fp16").compute_type is np.float16


@pytest.mark.parametrize("scale", [0.0, -0.1, math.nan, math.inf])
def test_a_scale_that_is_no_step_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="the input scale of layer_0/output is"):
        Numerics(input_scales={"layer_0/intermediate": 0.1, "layer_0/output": scale})


def test_an_unknown_compute_type_is_refused() -> None:
    with pytest.raises(ValueError, match="'bf16'; expected fp32 or fp16"):
        Numerics(compute="bf16")


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_weights_are_rounded_column_by_column_to_the_nearest_of_255_steps(dtype: FloatType) -> None:
    random = np.random.default_rng(0)
    weight = (random.normal(size=(40, 6)) * [0.001, 0.02, 0.3, 1, 5, 60]).astype(np.float32)
    values, scales = int8_weight(weight, dtype)
    assert (values.dtype, scales.dtype) == (np.dtype(np.int8), np.dtype(dtype))
    for column in range(6):
        largest = max(abs(float(number)) for number in weight[:, column])
        assert float(scales[column]) == pytest.approx(largest / 127, rel=2**-8)
        assert max(abs(int(step)) for step in values[:, column]) == 127
        for number, step in zip(weight[:, column], values[:, column], strict=True):
            # Half a step, and what the scale's own rounding takes from the largest.
            off = abs(float(number) - int(step) * float(scales[column]))
            assert off <= 0.5 * float(scales[column]) + largest * (
                0 if dtype is np.float32 else 1e-2
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_columns_of_nothing_or_next_to_nothing_have_a_scale_that_is_not_0(dtype: FloatType) -> None:
    weight = np.zeros((3, 2), np.float32)
    weight[1, 1] = 1e-8
    values, scales = int8_weight(weight, dtype)
    assert (scales > 0).all()
    assert np.isfinite(values * scales.astype(np.float32)).all()
    assert not values[:, 0].any()


def test_a_scale_too_small_for_fp16_is_its_smallest_number() -> None:
    assert float(int8_step(1e-12, np.float16)) == 2.0**-24
    assert float(int8_step(0.25, np.float16)) == 0.25
