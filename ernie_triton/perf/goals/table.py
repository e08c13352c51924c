"""Hold goals as data, JSON and Markdown: the figure, the bound, and whether it is met."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.errors import DatasetError
from ernie_triton.perf.paired import Spread
from ernie_triton.perf.results import MachineFacts

_SIGNS = {"least": "≥", "most": "≤"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One objective and its figure.

    Attributes:
        name: of the figure.
        figure: the median of the rounds with their range.
        unit: of the figure: `x`, ` ms`, or nothing.
        bound: limit of the figure.
        kind: `least` or `most`, the kind of the bound.
        aim: a value beyond the bound that is hoped for; None for none.
        note: details of the figure; may be empty.
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
    def wanted(self) -> str:
        """The bound with its sign and unit: `≥ 5x`."""
        return f"{_SIGNS[self.kind]} {self.bound:g}{self.unit}"

    @property
    def is_met(self) -> bool:
        """True where the median keeps the bound."""
        median = self.figure.median
        return median >= self.bound if self.kind == "least" else median <= self.bound

    @property
    def is_certain(self) -> bool:
        """True where every round agrees with the median."""
        ends = (self.figure.lowest, self.figure.highest)
        if self.kind == "least":
            return len({end >= self.bound for end in ends}) == 1
        return len({end <= self.bound for end in ends}) == 1


def goals_table(goals: Sequence[Goal]) -> str:
    """Write the goals as a Markdown table."""
    lines = ["| goal | measured: median (range) | wanted | met |", "|---|---:|---:|---|"]
    for goal in goals:
        wanted = goal.wanted
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
        machine: the machine.
        commit: of this project; empty outside a clone.
        load: mean number of processes that wanted a core in the minute before the start.
        note: remarks, such as that the models were tiny.
        rounds: turns of every figure.
        seconds: of each figure.
        goals: the goals.
        figures: every round's figures by shape and name, the source of the goals.
        advice: which precision pays on the machine, in words; may be empty.
    """

    started_at: str
    machine: MachineFacts
    commit: str
    load: float
    note: str
    rounds: int
    seconds: float
    goals: tuple[Goal, ...]
    figures: Mapping[str, Mapping[str, Sequence[float]]]
    advice: str = ""

    def to_json(self) -> str:
        """Return indented JSON; each goal has `is_met` too."""
        content = dataclasses.asdict(self)
        for row, goal in zip(content["goals"], self.goals, strict=True):
            row["is_met"] = goal.is_met
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

    def table(self) -> str:
        """Return a Markdown table between a line of time and place and the advice."""
        parts = (self.heading(), goals_table(self.goals), self.advice)
        return "\n\n".join(part for part in parts if part)

    def heading(self) -> str:
        """Describe machine, time and commit in a line."""
        machine = self.machine
        commit = f", commit {self.commit}" if self.commit else ""
        return (
            f"{machine.processor}, {machine.cores} cores, {machine.system}; {self.started_at}"
            f"{commit}; load before {self.load:.1f}; {self.rounds} rounds in turn, "
            f"{self.seconds:g} s a figure{f'; {self.note}' if self.note else ''}"
        )


def read_goals(path: Path) -> GoalsRun:
    """Read a run of all goals from its JSON file.

    Raises:
        DatasetError: the file cannot be read or is not such a run.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["machine"] = MachineFacts(**content["machine"])
        content["goals"] = tuple(map(_goal, content["goals"]))
        return GoalsRun(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} cannot be read as results of goals: {error!r}") from error


def _goal(content: dict[str, Any]) -> Goal:
    del content["is_met"]
    content["figure"] = Spread(**content["figure"])
    return Goal(**content)
