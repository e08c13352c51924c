"""The sample tasks as data; a further one is a module of its own and one entry in `cli.TASKS`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

from samples.files import write_json_lines


class SampleLine(Protocol):
    """What a data file consists of: a line of CLUE's, or an article with its questions."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The texts that may stand in one split only."""

    def to_json(self) -> dict[str, object]:
        """The line as the format writes it, keys in the format's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A class: `label` as it stands in the data, `name` as people and models' configs have it."""

    label: str
    name: str


def write_lines(path: Path, lines: Sequence[SampleLine]) -> Path:
    """Write one JSON object a line; returns the path."""
    return write_json_lines(path, (line.to_json() for line in lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTask:
    """A task: its labels in the order of the model's outputs, its lines, its sizes.

    `make_drawer` reads the grammars and returns the function that makes one random line.
    `labels` is empty where the model has none, and `write_split` says how a split's file is laid
    out. How a model learns the task is said in `recipes.RECIPES`.
    """

    name: str
    labels: tuple[Label, ...]
    make_drawer: Callable[[], Callable[[Random], SampleLine]]
    train_lines: int
    dev_lines: int
    write_split: Callable[[Path, Sequence[SampleLine]], Path] = write_lines
