"""The decision: noise never moves a pipeline from what it has, a real gain does."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.perf.tuning.decision import (
    BudgetError,
    Finalist,
    decide,
    measure_finalists,
    refuse_hopeless,
)
from ernie_triton.perf.tuning.search import Figure, Trial
from ernie_triton.perf.tuning.setting import DEFAULTS, Setting
from tests.perf.tuning.made_up import FormulaBench, figure

OTHER = Setting(max_batch_size=16)
THIRD = Setting(max_batch_size=8)
ROUNDS = 5


def finalist(setting: Setting, *rates: float, p99_ms: float = 10.0) -> Finalist:
    return Finalist(setting=setting, figures=tuple(figure(rate, p99_ms) for rate in rates))


def test_a_gain_above_the_spread_is_taken() -> None:
    decision = decide(
        [finalist(DEFAULTS, 100, 101, 99), finalist(OTHER, 120, 121, 119)], budget_ms=None
    )
    assert decision.is_change
    assert decision.chosen.setting == OTHER


def test_a_gain_below_the_spread_is_not() -> None:
    # Round by round 1.00, 1.05 and 1.10: a median of 5 % in a range of 10 %.
    decision = decide(
        [finalist(DEFAULTS, 100, 100, 100), finalist(OTHER, 100, 105, 110)], budget_ms=None
    )
    assert not decision.is_change


def test_a_steady_gain_too_small_to_matter_is_not() -> None:
    assert not decide([finalist(DEFAULTS, 100, 100), finalist(OTHER, 101, 101)], None).is_change


def test_a_slow_round_of_the_machine_concerns_both() -> None:
    # Half the speed in the second round for both: the ratios are 1.2 throughout.
    decision = decide([finalist(DEFAULTS, 100, 50, 100), finalist(OTHER, 120, 60, 120)], None)
    assert decision.is_change


def test_the_next_must_beat_the_one_that_was_taken() -> None:
    decision = decide(
        [finalist(DEFAULTS, 100, 100), finalist(OTHER, 120, 120), finalist(THIRD, 121, 121)], None
    )
    assert decision.chosen.setting == OTHER


RATES = st.lists(st.floats(50, 150), min_size=ROUNDS, max_size=ROUNDS)


@given(RATES, RATES, RATES)
def test_what_is_chosen_exceeds_the_given_by_more_than_the_spread(
    ones: list[float], twos: list[float], threes: list[float]
) -> None:
    decision = decide(
        [finalist(DEFAULTS, *ones), finalist(OTHER, *twos)],
        None,
    )
    if decision.is_change:
        ratios = sorted(two / one for one, two in zip(ones, twos, strict=True))
        assert ratios[ROUNDS // 2] - 1 > ratios[-1] - ratios[0]
        assert ratios[0] > 1
    kept = decide([finalist(DEFAULTS, *ones), finalist(OTHER, *ones)], None)
    assert not kept.is_change
    assert decide([finalist(DEFAULTS, *threes)], None).chosen.setting == DEFAULTS


def noisy_decisions(true_gain: float, noise: float, trials: int) -> int:
    """How often the other setting is chosen, on a machine with noise and with drift."""
    chance = random.Random(5)
    chosen = 0
    for _ in range(trials):
        speed = {"now": 1.0}

        def cost(setting: Setting, speed: dict[str, float] = speed) -> Figure:
            speed["now"] *= 0.98  # the machine slows down all the while
            gain = true_gain if setting == OTHER else 1.0
            return figure(1000 * speed["now"] * gain * chance.gauss(1.0, noise))

        found = measure_finalists([DEFAULTS, OTHER], ROUNDS, FormulaBench(cost), lambda _: None)
        chosen += decide(found, None).is_change
    return chosen


@pytest.mark.parametrize("true_gain", [0.9, 0.97, 1.0])
def test_noise_and_drift_do_not_choose_what_is_no_better(true_gain: float) -> None:
    assert noisy_decisions(true_gain, 0.05, 400) <= 2


def test_a_real_gain_is_found_in_noise() -> None:
    assert noisy_decisions(1.3, 0.03, 50) >= 45


def test_rounds_go_back_and_forth() -> None:
    bench = FormulaBench(lambda _: figure(100))
    measure_finalists([DEFAULTS, OTHER, THIRD], 2, bench, lambda _: None)
    assert bench.asked == [DEFAULTS, OTHER, THIRD, THIRD, OTHER, DEFAULTS]


def test_a_finalist_that_fails_is_left_out() -> None:
    told: list[str] = []
    bench = FormulaBench(lambda _: figure(100), broken=[OTHER])
    found = measure_finalists([DEFAULTS, OTHER], 2, bench, told.append)
    assert [one.setting for one in found] == [DEFAULTS]
    assert any("no memory" in line for line in told)


def test_a_faster_setting_outside_of_the_budget_is_not_taken() -> None:
    slow, fast = finalist(DEFAULTS, 100, 100, p99_ms=9), finalist(OTHER, 200, 200, p99_ms=11)
    assert not decide([slow, fast], budget_ms=10).is_change
    assert decide([slow, fast], budget_ms=12).is_change


def test_a_slower_setting_within_the_budget_is_taken_where_the_given_is_outside() -> None:
    fast, slow = finalist(DEFAULTS, 200, 200, p99_ms=11), finalist(OTHER, 100, 100, p99_ms=9)
    assert decide([fast, slow], budget_ms=10).chosen.setting == OTHER


def test_another_setting_must_keep_the_budget_in_every_round() -> None:
    given_setting = finalist(DEFAULTS, 100, 100, 100, p99_ms=9)
    figures = (figure(200, 8), figure(200, 8), figure(200, 11))
    assert not decide([given_setting, Finalist(setting=OTHER, figures=figures)], 10).is_change


def test_a_budget_that_nothing_keeps_says_what_the_best_was() -> None:
    ones = [finalist(DEFAULTS, 100, 100, p99_ms=30), finalist(OTHER, 90, 90, p99_ms=20)]
    with pytest.raises(BudgetError, match=r"p99 of 5 ms; .* 20\.00 ms .* max_batch_size 16"):
        decide(ones, budget_ms=5)


def test_a_budget_far_below_all_short_figures_fails_before_longer_ones_are_taken() -> None:
    trials = [
        Trial(setting=DEFAULTS, figure=figure(100, 30)),
        Trial(setting=OTHER, figure=figure(90, 20)),
        Trial(setting=THIRD, failure="the server did not start"),
    ]
    with pytest.raises(BudgetError, match=r"the best was 20\.00 ms with .* max_batch_size 16"):
        refuse_hopeless(trials, 9)
    refuse_hopeless(trials, 11)
    refuse_hopeless(trials, None)
