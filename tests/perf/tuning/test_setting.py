"""What is tuned, and which values are candidates."""

import dataclasses
from pathlib import Path

import pytest

from ernie_triton.perf.tuning.setting import (
    DEFAULTS,
    Conditions,
    Setting,
    axes,
    is_same,
    one_other,
    setting_of,
)
from ernie_triton.pipeline import Batching, PipelineSpec

SPEC = PipelineSpec(
    checkpoint=Path("c"),
    task="seq_cls",
    repository=Path("r"),
    threads=2,
    batching=Batching(max_batch_size=32, max_queue_delay_us=100, max_queue_size=9),
)


def values(axis: list[dict[str, int]], name: str) -> list[int]:
    return [change[name] for change in axis]


def test_the_defaults_are_those_of_a_pipeline_that_says_nothing() -> None:
    silent = PipelineSpec(checkpoint=Path("c"), task="seq_cls", repository=Path("r"))
    assert setting_of(silent) == DEFAULTS


def test_a_setting_goes_into_a_pipeline_and_comes_out_again() -> None:
    setting = Setting(
        threads=3,
        instances=4,
        max_batch_size=8,
        max_queue_delay_us=7,
        postprocess_instances=1,
    )
    tuned = setting.applied_to(SPEC)
    assert setting_of(tuned) == setting
    assert setting_of(SPEC).applied_to(tuned) == SPEC
    assert tuned.batching.max_queue_size == 9


@pytest.mark.parametrize(
    ("cores", "pairs"),
    [
        (1, [(1, 0), (2, 1)]),
        (2, [(1, 0), (2, 1), (1, 1)]),
        (4, [(1, 0), (2, 2), (4, 1), (1, 3)]),
        (64, [(1, 0), (2, 32), (4, 16), (8, 8), (1, 63)]),
    ],
)
def test_instances_share_the_cores(cores: int, pairs: list[tuple[int, int]]) -> None:
    axis, _, _ = axes(DEFAULTS, Conditions(cores=cores, concurrency=32))
    assert [(change["instances"], change["threads"]) for change in axis] == pairs


def test_a_gpu_leaves_the_cores_to_the_other_stages_and_bounds_the_instances() -> None:
    on_gpu = Conditions(cores=8, concurrency=32, has_stages=True, is_on_gpu=True, most_instances=3)
    engine, stages, _, _ = axes(DEFAULTS, on_gpu)
    assert engine == [{"instances": 1}, {"instances": 2}]
    pairs = [(one["tokenizer_instances"], one["postprocess_instances"]) for one in stages]
    assert pairs == [(2, 1), (2, 2), (4, 2), (4, 4), (8, 4), (8, 8)]


def test_batches_that_cannot_be_reached_are_not_tried() -> None:
    _, axis, _ = axes(DEFAULTS, Conditions(cores=2, concurrency=32))
    assert values([dict(one) for one in axis], "max_batch_size") == [64, 16, 8]


def test_a_batch_that_is_in_the_way_may_grow() -> None:
    _, axis, _ = axes(Setting(max_batch_size=8), Conditions(cores=2, concurrency=32))
    assert values([dict(one) for one in axis], "max_batch_size") == [32, 16, 8]


def test_batches_smaller_than_a_request_are_not_tried() -> None:
    _, axis, _ = axes(DEFAULTS, Conditions(cores=2, concurrency=32, rows=24))
    assert min(values([dict(one) for one in axis], "max_batch_size")) == 32


def test_delays_are_shorter_than_the_budget() -> None:
    _, _, axis = axes(DEFAULTS, Conditions(cores=2, concurrency=32, budget_ms=1.0))
    assert values([dict(one) for one in axis], "max_queue_delay_us") == [0, 300]


def test_no_threads_are_every_core() -> None:
    assert is_same(Setting(threads=0), Setting(threads=2), cores=2)
    assert not is_same(Setting(threads=0), Setting(threads=2), cores=4)
    assert not is_same(Setting(), Setting(max_queue_delay_us=1), cores=4)
    assert is_same(Setting(), Setting(tokenizer_instances=1), cores=4)
    assert not is_same(Setting(), Setting(tokenizer_instances=2), cores=4)


def test_a_grid_of_one_has_the_first_candidate_that_differs() -> None:
    [[change]] = one_other(axes(DEFAULTS, Conditions(cores=2, concurrency=32)), DEFAULTS)
    assert dataclasses.replace(DEFAULTS, **change) == Setting(instances=2, threads=1)
