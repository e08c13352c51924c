"""The goals as rows: what was measured, what is wanted, whether it is met."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ernie_triton.perf.paired import Spread
from ernie_triton.perf.results import Machine

_SIGNS = {"least": "≥", "most": "≤"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One promise and its figure.

    Attributes:
        name: what is promised.
        figure: the median of the rounds with their range.
        unit: of the figure: `x`, ` ms`, or nothing.
        bound: what the figure must reach, or may reach.
        kind: `least` or `most`: which of the two the bound is.
        aim: what is hoped for beyond the bound; None for nothing.
        note: how it came about, where the name does not say.
    """

    name: str
    figure: Spread
    unit: str
    bound: float
    kind: str
    aim: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in _SIGNS:
            raise ValueError(f"kind is {self.kind!r}; expected {' or '.join(_SIGNS)}")

    @property
    def is_met(self) -> bool:
        """Whether the median keeps the bound."""
        median = self.figure.median
        return median >= self.bound if self.kind == "least" else median <= self.bound

    @property
    def is_certain(self) -> bool:
        """Whether every round says the same as the median."""
        ends = (self.figure.lowest, self.figure.highest)
        if self.kind == "least":
            return len({end >= self.bound for end in ends}) == 1
        return len({end <= self.bound for end in ends}) == 1


def goals_table(goals: Sequence[Goal]) -> str:
    """The goals as a Markdown table."""
    lines = ["| goal | measured: median (range) | wanted | met |", "|---|---:|---:|---|"]
    for goal in goals:
        wanted = f"{_SIGNS[goal.kind]} {goal.bound:g}{goal.unit}"
        if goal.aim is not None:
            wanted += f", aim {goal.aim:g}{goal.unit}"
        met = "yes" if goal.is_met else "**no**"
        met += "" if goal.is_certain else ", not in every round"
        name = f"{goal.name} ({goal.note})" if goal.note else goal.name
        lines.append(f"| {name} | {goal.figure.text(goal.unit)} | {wanted} | {met} |")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalsRun:
    """One run of all goals.

    Attributes:
        started_at: UTC, ISO 8601.
        machine: where.
        commit: of this project.
        load: processes that wanted a core in the minute before the start, of this machine.
        note: what else there is to know, such as that models were tiny ones.
        rounds: how often everything took its turn.
        seconds: of each figure.
        goals: the rows.
        figures: every round's figures by shape and name, from which the rows are made.
    """

    started_at: str
    machine: Machine
    commit: str
    load: float
    note: str
    rounds: int
    seconds: float
    goals: tuple[Goal, ...]
    figures: Mapping[str, Mapping[str, Sequence[float]]]

    def to_json(self) -> str:
        """As indented JSON, with whether each goal is met."""
        content = dataclasses.asdict(self)
        for row, goal in zip(content["goals"], self.goals, strict=True):
            row["is_met"] = goal.is_met
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

    def table(self) -> str:
        """The table under a line that says where and when."""
        machine = self.machine
        heading = (
            f"{machine.processor}, {machine.cores} cores, {machine.system}; {self.started_at}, "
            f"commit {self.commit}; load before {self.load:.1f}; {self.rounds} rounds in turn, "
            f"{self.seconds:g} s a figure{f'; {self.note}' if self.note else ''}"
        )
        return f"{heading}\n\n{goals_table(self.goals)}"
