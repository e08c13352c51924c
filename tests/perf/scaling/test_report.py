"""The whole way from a plan to table, sentences, JSON and picture, with one tiny engine."""

import json
import struct
from pathlib import Path

import pytest

import ernie_triton.perf.scaling.measure
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.engines.engine_alone import load_pipeline_engine
from ernie_triton.perf.engines.model_cache import ModelCache
from ernie_triton.perf.scaling.measure import Scaling, measure_scaling
from ernie_triton.perf.scaling.plots import draw_scaling
from ernie_triton.perf.scaling.report import (
    departure,
    scaling_json,
    scaling_sentences,
    scaling_table,
)
from ernie_triton.perf.scaling.sweeps import Plan, Point
from tests.perf.conftest import Tiny

MIDDLE = Point(shape=Shape(layers=1, hidden=48, heads=12, feed_forward=192), tokens=12, rows=4)
PLAN = Plan(middle=MIDDLE, tokens=(6, 12, 60), rows=(1, 4, 16), layers=(1,), widths=(48,))


@pytest.fixture(scope="module")
def measured(tiny: Tiny) -> Scaling:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelCache, "pipeline", lambda *_: tiny.pipeline)
        patch.setattr(ModelCache, "repository", tiny.repository)
        patch.setattr(
            ernie_triton.perf.scaling.measure,
            "load_pipeline_engine",
            lambda repository, _: load_pipeline_engine(repository, "tiny"),
        )
        return measure_scaling(
            PLAN,
            ModelCache(folder=tiny.repository.parent),
            precision="fp32",
            rounds=2,
            seconds=0.01,
            progress=lambda _: None,
        )


def test_every_point_is_measured_and_more_work_takes_longer(measured: Scaling) -> None:
    points = {sweep.name: list(found) for sweep, found in measured.sweeps}
    assert [one.value for one in points["sequence length"]] == [6, 12, 60]
    assert [one.value for one in points["batch"]] == [1, 4, 16]
    short, _, long = points["sequence length"]
    assert short.seconds.lowest < long.seconds.highest
    assert all(one.seconds.lowest > 0 for found in points.values() for one in found)
    # The middle is one measurement, shown in every sweep.
    middles = [one.seconds for found in points.values() for one in found if one.point == MIDDLE]
    assert len(middles) == 4
    assert len(set(middles)) == 1


def test_table_sentences_and_json_say_the_same(measured: Scaling) -> None:
    content = json.loads(scaling_json(measured))
    assert content["costs"]["flop_s"] >= 0
    for sweep, points in measured.sweeps:
        for one in points:
            row = f"| {sweep.name} | {one.value} | {one.texts_per_s:,.0f} ("
            assert row in scaling_table(measured)
            fitted = one.seconds.median / (1 + departure(measured, one))
            assert fitted == pytest.approx(measured.costs.seconds(one.point))
    said = scaling_sentences(measured)
    assert said.count("\n") == 5
    assert "Sequence length 6 to 60: the arithmetic of a text grows" in said


def test_the_picture_is_a_png_of_a_readable_size(measured: Scaling, tmp_path: Path) -> None:
    draw_scaling(measured, tmp_path / "scaling.png")
    header = (tmp_path / "scaling.png").read_bytes()[:24]
    assert header[1:4] == b"PNG"
    width, height = struct.unpack(">II", header[16:24])
    assert (width, height) >= (1000, 700)
