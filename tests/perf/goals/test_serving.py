"""One round of a shape on the real server, with one tiny pipeline in the place of two."""

import pytest

from ernie_triton.perf.engines.model_cache import ModelCache
from ernie_triton.perf.goals.rows import goals_from
from ernie_triton.perf.goals.serving import ShapeModels, measure_shape
from ernie_triton.perf.paired import spread
from tests.perf.conftest import Tiny


@pytest.mark.live
def test_a_round_takes_every_figure_that_the_goals_want(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ModelCache(folder=tiny.repository.parent)
    monkeypatch.setattr(ModelCache, "repository", tiny.repository)
    models = ShapeModels(
        baseline=tiny.baseline,
        joined=tiny.pipeline,
        pipelines={"int8": tiny.pipeline, "bf16": tiny.pipeline},
    )
    told: list[str] = []
    found = measure_shape(
        "tiny", models, cache, rounds=1, seconds=0.9, progress=told.append, warm_up=False
    )
    assert {len(figures) for figures in found.figures.values()} == {1}
    assert min(value for name in ("baseline qps", "int8 qps") for value in found.figures[name]) > 0
    assert 1 <= found.figures["int8 batch"][0] <= 32
    assert found.figures["int8 memory"][0] > 20e6
    assert found.facts["int8"].shape.hidden == 48
    assert told[0] == "tiny, round 1 of 1: baseline, concurrency 32"
    tokenizer = {"plain": spread([30.0]), "mixed": spread([3.0])}
    assert len(goals_from({"medium": found, "nano": found}, tokenizer)) >= 12
