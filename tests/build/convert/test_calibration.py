"""Ranges of activations are those of the values themselves, however they come in."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.build.convert.calibration import (
    LIMITS,
    Magnitudes,
    entropy_limit,
    input_scales,
    minmax_limit,
    observed,
    percentile_limit,
)
from ernie_triton.build.graph.export import export_onnx, quantizable_linears
from ernie_triton.build.random_models.torch_export import model_from_classifier
from ernie_triton.tasks import CALIBRATORS
from tests.build.models import random_rows, single_rows

RANDOM = np.random.default_rng(7)


def seen_of(*arrays: npt.NDArray[np.float32]) -> Magnitudes:
    seen = Magnitudes()
    for array in arrays:
        seen.add(array)
    return seen


def normal(count: int, scale: float = 1.0) -> npt.NDArray[np.float32]:
    return (RANDOM.normal(0, scale, count)).astype(np.float32)


def test_every_calibrator_of_the_contract_is_there() -> None:
    assert tuple(LIMITS) == CALIBRATORS


def test_a_histogram_that_grows_counts_every_value_once() -> None:
    arrays = [normal(1000, scale) for scale in (0.1, 3.0, 0.5, 40.0)]
    seen = seen_of(*arrays)
    values = np.abs(np.concatenate(arrays))
    assert seen.counts.sum() == len(values)
    assert seen.largest == values.max()
    edges = np.linspace(0, seen.limit, len(seen.counts) + 1)
    np.testing.assert_allclose(
        np.cumsum(seen.counts), [(values <= edge).sum() for edge in edges[1:]], atol=2
    )


def test_minmax_is_the_largest_magnitude_of_either_sign() -> None:
    assert minmax_limit(seen_of(np.array([[0.5, -3.25]], np.float32), normal(5, 0.1))) == 3.25


def test_the_percentile_is_numpy_s_within_a_bin() -> None:
    values = normal(200_000)
    seen = seen_of(*np.split(values, 20))
    expected = np.quantile(np.abs(values), 0.9999)
    assert percentile_limit(seen) == pytest.approx(expected, abs=seen.limit / 4096)


def test_entropy_clips_a_lone_outlier_and_keeps_an_even_range() -> None:
    outlier = seen_of(normal(100_000), np.array([60.0], np.float32))
    assert entropy_limit(outlier) < 15
    even = seen_of(RANDOM.uniform(-2, 2, 100_000).astype(np.float32))
    assert entropy_limit(even) > 1.9


@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_a_tensor_of_zeros_still_has_a_scale(calibrator: str) -> None:
    seen = {"x": seen_of(np.zeros(10, np.float32))}
    assert input_scales({"linear": "x"}, seen, calibrator)["linear"] > 0


def test_a_limit_is_the_largest_int8_step() -> None:
    seen = {"x": seen_of(np.array([-12.7], np.float32))}
    scales = input_scales({"one": "x", "two": "x"}, seen, "minmax")
    assert scales == pytest.approx({"one": 0.1, "two": 0.1})


def test_what_is_observed_is_what_the_layers_read(ernie: Any) -> None:
    model = model_from_classifier(ernie)
    batch = random_rows((5, 2, 9))
    graph = export_onnx(model, "packed")
    linears = quantizable_linears(model, "packed")
    outputs = [output.name for output in graph.graph.output]
    seen = observed(graph, linears.values(), [batch], lambda part: part.packed())
    assert [output.name for output in graph.graph.output] == outputs
    assert set(seen) == set(linears.values())
    # The first layer reads the normalised embeddings: from the formulas, in float64.
    encoder = model.encoder
    largest = 0.0
    for ids, types in single_rows(batch):
        x = encoder.word[ids] + encoder.position[: len(ids)] + encoder.token_type[types]
        x = x - x.mean(axis=-1, keepdims=True)
        x /= np.sqrt((x**2).mean(axis=-1, keepdims=True) + encoder.embedding_norm.epsilon)
        x = x * encoder.embedding_norm.scale + encoder.embedding_norm.bias
        largest = max(largest, float(np.abs(x).max()))
    assert seen[linears["layer_0/attention/query"]].largest == pytest.approx(largest, rel=1e-4)
