"""The sample tasks as data; a further task is a module of its own and one entry in `cli.TASKS`."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol


class SampleLine(Protocol):
    """One line of a data file."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The texts that may stand in one split only."""

    def to_json(self) -> dict[str, object]:
        """The line as CLUE writes it, keys in CLUE's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A class: `label` as it stands in the data, `name` as people read it."""

    label: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTask:
    """A task: its labels in the order of the classifier's outputs, its lines, its sizes.

    `make_drawer` reads the grammars and returns the function that makes one random line.
    `text_fields` are the JSON keys of the one or two texts that a classifier is given.
    """

    name: str
    labels: tuple[Label, ...]
    text_fields: tuple[str, ...]
    make_drawer: Callable[[], Callable[[Random], SampleLine]]
    train_lines: int
    dev_lines: int
