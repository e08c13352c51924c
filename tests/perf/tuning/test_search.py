"""Screening on a machine that is a formula: it finds its optimum, and starts few servers."""

import dataclasses

import pytest

from ernie_triton.errors import ServerError
from ernie_triton.perf.tuning.decision import rank_within
from ernie_triton.perf.tuning.search import Figure, finalists, screen
from ernie_triton.perf.tuning.setting import DEFAULTS, Conditions, Setting, axes
from tests.perf.tuning.made_up import FormulaBench, figure

CORES = 4
GRID = axes(DEFAULTS, Conditions(cores=CORES, concurrency=32))
BEST = Setting(threads=2, instances=2, max_batch_size=16, max_queue_delay_us=1000)


def separable(setting: Setting) -> Figure:
    """Most texts at `BEST`, less for each value that differs."""
    wrong = sum(
        getattr(setting, field.name) != getattr(BEST, field.name)
        for field in dataclasses.fields(setting)
    )
    return figure(1000 - 100 * wrong)


def best_of(bench: FormulaBench, budget_ms: float | None = None) -> Setting:
    rank = rank_within(budget_ms)
    trials = screen(DEFAULTS, GRID, CORES, bench, rank)
    return finalists(trials, [DEFAULTS], rank)[1]


def test_the_search_finds_the_best_of_each_axis() -> None:
    assert best_of(FormulaBench(separable)) == BEST


def test_each_setting_is_screened_once_but_the_best_so_far_once_an_axis() -> None:
    bench = FormulaBench(separable)
    trials = screen(DEFAULTS, GRID, CORES, bench, rank_within(None))
    assert len({trial.setting for trial in trials}) == len(trials)
    again = len(bench.asked) - len(trials)
    assert again == len(GRID) - 1


def test_at_most_two_servers_run_while_screening() -> None:
    bench = FormulaBench(separable)
    best_of(bench)
    assert bench.most_running == 2


def test_within_a_budget_latency_decides_before_speed() -> None:
    def cost(setting: Setting) -> Figure:
        small = setting.max_batch_size == 8
        return figure(500 if small else 1000, 10 if small else 60)

    assert best_of(FormulaBench(cost), budget_ms=20).max_batch_size == 8
    assert best_of(FormulaBench(cost), budget_ms=100).max_batch_size != 8


def test_a_setting_that_cannot_be_served_is_told_and_passed_over() -> None:
    broken = Setting(threads=1, instances=4)
    bench = FormulaBench(separable, broken=[broken])
    trials = screen(DEFAULTS, GRID, CORES, bench, rank_within(None))
    [failed] = [trial for trial in trials if trial.failure]
    assert failed.setting == broken
    assert "no memory" in failed.failure
    assert broken not in finalists(trials, [DEFAULTS], rank_within(None))


def test_a_pipeline_that_cannot_be_served_as_it_is_fails() -> None:
    with pytest.raises(ServerError):
        screen(
            DEFAULTS,
            GRID,
            CORES,
            FormulaBench(separable, broken=[DEFAULTS]),
            rank_within(None),
        )


def test_the_same_setting_in_other_words_is_not_tried() -> None:
    bench = FormulaBench(separable)
    screen(Setting(threads=CORES), GRID, CORES, bench, rank_within(None))
    assert DEFAULTS not in bench.asked


def test_without_other_values_the_start_alone_is_measured() -> None:
    bench = FormulaBench(separable)
    trials = screen(DEFAULTS, [[], []], CORES, bench, rank_within(None))
    assert [trial.setting for trial in trials] == bench.asked == [DEFAULTS]
