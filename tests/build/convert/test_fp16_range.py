"""A model that FP16 cannot hold is refused by the layer where it overflows; others are measured."""

import dataclasses

import numpy as np
import pytest

from ernie_triton.build.convert.fp16_range import check_fp16_range
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.models import Model
from ernie_triton.errors import PrecisionError
from ernie_triton.tasks import LAYOUTS
from tests.build.graph.test_precision import inputs, model_of, run
from tests.build.models import random_rows, single_rows

BATCH = random_rows((7, 2, 30, 13), types=4)


def larger(model: Model, index: int, wide: float, narrow: float) -> Model:
    """The model with the feed-forward matrices of one layer larger by these factors."""
    layers = list(model.encoder.layers)
    layer = layers[index]
    layers[index] = dataclasses.replace(
        layer, intermediate=times(layer.intermediate, wide), output=times(layer.output, narrow)
    )
    encoder = dataclasses.replace(model.encoder, layers=tuple(layers))
    return dataclasses.replace(model, encoder=encoder)


def times(linear: Linear, factor: float) -> Linear:
    return Linear(weight=linear.weight * np.float32(factor), bias=linear.bias)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("index", [0, 1])
def test_the_layer_that_overflows_is_named_with_the_number_and_the_limit(
    layout: str, index: int
) -> None:
    model = larger(model_of(), index, 100, 10_000)
    name = f"layer_{index}/output/product"
    feed = inputs(BATCH, layout, model.encoder.pad_token_id)
    reached = np.abs(run(export_onnx(model, layout), feed, name)[name]).max()
    assert reached > 65504
    with pytest.raises(PrecisionError) as caught:
        check_fp16_range(model, layout, BATCH)
    assert str(caught.value) == (
        f"{name} reaches {reached:.6g} on the calibration texts, and FP16 holds no more than "
        f"65504; build with --precision fp32"
    )
    # What the refusal spares its reader.
    found = run(export_onnx(model, layout, Numerics(compute="fp16")), feed, name)
    assert not np.isfinite(found[name]).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_largest_number_is_found_whatever_run_it_is_in(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = larger(model_of(), 0, 1, 100)
    name = "layer_0/output/product"
    expected = max(
        float(
            np.abs(
                run(
                    export_onnx(model, "packed"),
                    {
                        "input_ids": ids,
                        "token_type_ids": types,
                        "lengths": np.array([len(ids)], np.int32),
                        "width": ids,
                    },
                    name,
                )[name]
            ).max()
        )
        for ids, types in single_rows(BATCH)
    )
    for cells in (2048, 16, 1):
        monkeypatch.setattr("ernie_triton.build.convert.fp16_range._CELLS", cells)
        found = check_fp16_range(model, layout, BATCH)
        assert found.tensor.startswith("layer_0/output")
        if layout == "packed":
            assert found.largest == pytest.approx(expected, rel=0.05)
        assert found.largest >= expected * 0.999


def test_tensors_that_stay_fp32_may_be_larger_than_fp16_s_range() -> None:
    # Each term of the sum is within the range, the sum is not: it is float32 up to the norm.
    model = model_of()
    word = np.full_like(model.encoder.word, 60_000.0)
    encoder = dataclasses.replace(
        model.encoder, word=word, position=np.full_like(model.encoder.position, 40_000.0)
    )
    found = check_fp16_range(dataclasses.replace(model, encoder=encoder), "packed", BATCH)
    assert (found.tensor, found.largest) == ("embeddings/word", 60_000.0)
