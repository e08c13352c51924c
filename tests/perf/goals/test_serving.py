"""One round of a shape on the real server, with one tiny pipeline in the place of all."""

import pytest

from ernie_triton.perf.engines.model_cache import ModelCache
from ernie_triton.perf.floor.repository import ONE_STAGE, THREE_STAGES
from ernie_triton.perf.goals.around import JOINED, TINY, measure_around
from ernie_triton.perf.goals.models import ENSEMBLE, ShapeModels
from ernie_triton.perf.goals.rows import goals_from, precision_advice
from ernie_triton.perf.goals.serving import measure_shape
from ernie_triton.perf.paired import spread
from tests.perf.conftest import Tiny


@pytest.mark.live
def test_a_round_takes_every_figure_that_the_goals_want(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ModelCache(folder=tiny.repository.parent, labels=5)
    monkeypatch.setattr(ModelCache, "repository", tiny.repository)
    models = ShapeModels(
        baseline=tiny.baseline,
        joined={"fp32": tiny.pipeline, "int8": tiny.pipeline},
        ensemble=tiny.pipeline,
        engine="openvino",
        others={"onnxruntime": tiny.pipeline},
    )
    told: list[str] = []
    found = measure_shape(
        "tiny", TINY, models, cache, rounds=1, seconds=0.9, progress=told.append, warm_up=False
    )
    assert {len(figures) for figures in found.figures.values()} == {1}
    assert min(value for name in ("baseline qps", "int8 qps") for value in found.figures[name]) > 0
    assert min(found.figures[f"peak {where}"][0] for where in ("served", "alone")) > 0
    assert found.figures["ensemble memory"][0] > 20e6
    assert found.facts["int8"].shape == TINY
    assert told[0] == "tiny, round 1 of 1: baseline, concurrency 32"
    around = measure_around(
        {ENSEMBLE: tiny.pipeline}, cache, rounds=1, seconds=0.9, progress=told.append, warm_up=False
    )
    # A stage that computes nothing is cheaper than three.
    assert 0 < around[ONE_STAGE][0] < around[THREE_STAGES][0]
    assert around[ENSEMBLE][0] > 0
    tokenizer = {"plain": spread([30.0]), "mixed": spread([3.0])}
    shapes = {"medium": found, "nano": found}
    goals = goals_from(shapes, {**around, JOINED: around[ENSEMBLE]}, tokenizer, ["int8"])
    assert len(goals) >= 12
    assert "in INT8 answers" in precision_advice(shapes)
