"""Figures in turn, and ratios that are taken within a round."""

import pytest

from ernie_triton.perf.paired import in_turn, paired_ratio, spread


def test_subjects_take_turns_round_by_round() -> None:
    order: list[str] = []
    told: list[str] = []

    def measuring(name: str) -> float:
        order.append(name)
        return float(len(order))

    subjects = {name: lambda name=name: measuring(name) for name in ("a", "b")}
    figures = in_turn(subjects, 2, told.append)
    assert order == ["a", "b", "a", "b"]
    assert figures == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
    assert told[-1] == "round 2 of 2: b"


def test_a_machine_that_slows_down_for_both_leaves_the_ratio_alone() -> None:
    theirs = [100.0, 10.0, 50.0]
    found = paired_ratio([2.0 * one for one in theirs], theirs)
    assert (found.median, found.lowest, found.highest, found.rounds) == (2.0, 2.0, 2.0, 3)


def test_a_spread_is_the_median_with_its_range() -> None:
    found = spread([3.0, 1.0, 20.0, 2.0])
    assert (found.median, found.lowest, found.highest) == (2.5, 1.0, 20.0)
    assert found.text("x") == "2.50x (1.00 to 20.00)"


def test_rounds_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_ratio([1.0, 2.0], [1.0])
