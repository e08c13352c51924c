"""Sweeps vary one size each around the same middle."""

import dataclasses

from ernie_triton.model_shapes import Shape
from ernie_triton.perf.limits.arithmetic import text_flops
from ernie_triton.perf.scaling.sweeps import _LABELS, FULL_PLAN, Point


def test_every_sweep_goes_through_the_middle_and_varies_one_size() -> None:
    middle = FULL_PLAN.middle
    sizes = {
        "sequence length": middle.tokens,
        "batch": middle.rows,
        "layers": middle.shape.layers,
        "width": middle.shape.hidden,
    }
    sweeps = {sweep.name: sweep for sweep in FULL_PLAN.sweeps()}
    assert sweeps.keys() == sizes.keys()
    for name, size in sizes.items():
        assert sweeps[name].points[size] == middle
        flops = [point.flops for point in sweeps[name].points.values()]
        assert flops == sorted(flops)
    assert {point.shape for point in sweeps["batch"].points.values()} == {middle.shape}
    for width, point in sweeps["width"].points.items():
        assert point.shape == dataclasses.replace(
            middle.shape, hidden=width, feed_forward=4 * width
        )


def test_a_points_arithmetic_is_its_texts() -> None:
    point = Point(shape=FULL_PLAN.middle.shape, tokens=24, rows=5)
    assert point.flops == 5 * text_flops(point.shape, tokens=24, labels=_LABELS)


def test_tokens_are_counted_in_every_layer() -> None:
    shape = Shape(layers=2, hidden=4, heads=2, feed_forward=16)
    assert Point(shape=shape, tokens=3, rows=10).layer_tokens == 60
