"""Draw the goals in one picture: each figure as a multiple of its bound."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ernie_triton.errors import DatasetError
from ernie_triton.perf.goals.table import Goal, GoalsRun
from ernie_triton.perf.reporting.style import COLOURS, figure

_WIDTH_INCHES = 11.0
_ROW_INCHES = 0.34
_REST_INCHES = 2.0
_MET, _MISSED, *_ = COLOURS
_PANELS = {"least": "1 or more is wanted", "most": "1 or less is wanted"}


def draw_goals(run: GoalsRun, path: Path) -> None:
    """Write a picture of two panels, one for each kind of bound.

    Args:
        run: at least one goal.
        path: the file; its suffix decides the format (png, svg, pdf).

    Raises:
        DatasetError: the run has no goals, or the file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    panels = {
        kind: goals for kind in _PANELS if (goals := [one for one in run.goals if one.kind == kind])
    }
    if not panels:
        raise DatasetError("the run has no goals to draw; measure again")
    counts = [len(goals) for goals in panels.values()]
    inches = (_WIDTH_INCHES, _ROW_INCHES * sum(counts) + _REST_INCHES)
    with figure(rows=len(panels), inches=inches, height_ratios=counts) as (drawn, all_axes):
        for axes, (kind, goals) in zip(all_axes, panels.items(), strict=True):
            _draw_panel(axes, goals, _PANELS[kind])
        title = (
            f"Measured as a multiple of the wanted value: median and range of {run.rounds} rounds"
        )
        drawn.suptitle(title, fontsize=11)
        drawn.supxlabel(_place(run), fontsize=8)
        try:
            drawn.savefig(path)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path} cannot be written: {error}") from error


def _draw_panel(axes: Any, goals: Sequence[Goal], title: str) -> None:  # noqa: ANN401
    """Draw a bar for each goal, with its range and the figure in words."""
    medians, below, above = [], [], []
    for goal in goals:
        median = goal.figure.median / goal.bound
        medians.append(median)
        below.append(median - goal.figure.lowest / goal.bound)
        above.append(goal.figure.highest / goal.bound - median)
    places = range(len(goals))
    colours = [_MET if goal.is_met else _MISSED for goal in goals]
    axes.barh(places, medians, color=colours, height=0.6)
    axes.errorbar(medians, places, xerr=[below, above], fmt="none", ecolor="#333333", capsize=3)
    axes.axvline(1.0, color="#333333", linestyle="--", linewidth=1)
    for place, goal, median, more in zip(places, goals, medians, above, strict=True):
        words = f"{goal.figure.median:.2f}{goal.unit} (wanted {goal.wanted})"
        axes.annotate(
            words,
            (max(0.0, median + more), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    axes.set_yticks(places, [goal.name for goal in goals], fontsize=8)
    axes.set_ylim(len(goals) - 0.5, -0.5)
    ends = [median + more for median, more in zip(medians, above, strict=True)]
    # The left bound shows negative figures; the right one leaves room for the words.
    axes.set_xlim(min(0.0, *medians), 1.45 * max(*ends, 1.0))
    axes.grid(visible=False, axis="y")
    axes.set_title(f"{title} (blue: met, orange: not met)", fontsize=10, loc="left")


def _place(run: GoalsRun) -> str:
    note = f"; {run.note}" if run.note else ""
    commit = f", commit {run.commit}" if run.commit else ""
    machine = run.machine
    return f"{machine.processor}, {machine.cores} cores, {run.started_at[:10]}{commit}{note}"
