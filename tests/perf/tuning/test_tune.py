"""The whole of a tuning: what is refused before a server is started."""

import dataclasses
from pathlib import Path

import pytest

from ernie_triton.errors import DatasetError, ScenarioError
from ernie_triton.perf.analyzer.text_spec import TextSpec
from ernie_triton.perf.tuning.tune import TuneOptions, tune
from ernie_triton.pipeline import PipelineSpec

SPEC = PipelineSpec(checkpoint=Path("c"), task="seq_cls", repository=Path("r"))
OPTIONS = TuneOptions(
    concurrency=1,
    rows=1,
    cores=frozenset({0}),
    budget_ms=None,
    texts=None,
    rounds=2,
    screen_seconds=1.0,
    seconds=1.0,
    quick=True,
)


def test_requests_larger_than_the_pipeline_takes_are_refused() -> None:
    options = dataclasses.replace(OPTIONS, rows=65)
    with pytest.raises(ScenarioError, match="--rows is 65, but ernie_seqcls takes requests of 64"):
        tune(SPEC, options, lambda _: None)


def test_texts_that_cannot_be_sent_are_told_before_a_server_is_started(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, texts=TextSpec(file=tmp_path / "texts.txt"))
    told: list[str] = []
    with pytest.raises(DatasetError, match=r"texts\.txt cannot be read"):
        tune(SPEC, options, told.append)
    assert told == []
