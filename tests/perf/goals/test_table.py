"""A goal is met by its median, and the table says where rounds disagree."""

import json

import pytest

from ernie_triton.perf.goals.table import Goal, GoalsRun, goals_table
from ernie_triton.perf.paired import spread
from tests.perf.made_up import machine


def goal(values: list[float], *, bound: float, kind: str, aim: float | None = None) -> Goal:
    return Goal(
        name="speed", figure=spread(values), unit="x", bound=bound, kind=kind, aim=aim, note="why"
    )


@pytest.mark.parametrize(
    ("values", "kind", "met", "certain"),
    [
        ([5.0, 5.1, 6.0], "least", True, True),
        ([4.9, 5.1, 6.0], "least", True, False),
        ([4.0, 4.9, 5.1], "least", False, False),
        ([4.0, 4.5, 4.9], "least", False, True),
        ([4.0, 4.5, 5.0], "most", True, True),
        ([4.0, 5.5, 6.0], "most", False, False),
        ([5.2, 5.5, 6.0], "most", False, True),
    ],
)
def test_the_median_decides_and_the_range_tells_how_surely(
    values: list[float], kind: str, met: bool, certain: bool
) -> None:
    found = goal(values, bound=5.0, kind=kind)
    assert (found.is_met, found.is_certain) == (met, certain)


def test_rows_show_figure_bound_and_verdict() -> None:
    goals = [
        goal([5.5, 6.2, 6.3], bound=5.0, kind="least", aim=6.0),
        goal([0.9, 1.2, 1.3], bound=1.0, kind="most"),
    ]
    assert goals_table(goals).splitlines()[2:] == [
        "| speed (why) | 6.20x (5.50 to 6.30) | ≥ 5x, aim 6x | yes |",
        "| speed (why) | 1.20x (0.90 to 1.30) | ≤ 1x | **no**, not in every round |",
    ]


def test_a_bound_is_a_least_or_a_most() -> None:
    with pytest.raises(ValueError, match="least or most"):
        goal([1.0], bound=1.0, kind="about")


def test_the_run_is_written_with_its_verdicts() -> None:
    run = GoalsRun(
        started_at="2026-01-01T00:00:00+00:00",
        machine=machine(),
        commit="abc",
        load=0.25,
        note="by hand",
        rounds=3,
        seconds=6.0,
        goals=(goal([5.5, 6.2, 6.3], bound=5.0, kind="least"),),
        figures={"nano": {"int8 qps": [1.0]}},
    )
    content = json.loads(run.to_json())
    assert content["goals"][0]["is_met"] is True
    assert content["figures"]["nano"]["int8 qps"] == [1.0]
    heading = run.table().splitlines()[0]
    assert "a processor, 2 cores, a system" in heading
    assert "load before 0.2; 3 rounds in turn" in heading
    assert heading.endswith("; by hand")
