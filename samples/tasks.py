"""Describe a sample task and write its JSON lines."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol


class SampleLine(Protocol):
    """One entry of a data file: a line in CLUE's format, or an article with its questions."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the texts, which may stand in one split only."""

    def to_json(self) -> dict[str, object]:
        """Return the line with its keys in the format's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassLabel:
    """A class: `label` as the data have it, `name` as people and the models' configs have it."""

    label: str
    name: str


def write_json_lines(path: Path, records: Iterable[Mapping[str, object]]) -> Path:
    """Write one JSON object a line, UTF-8, characters as they are; returns the path."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def write_lines(path: Path, lines: Sequence[SampleLine]) -> Path:
    """Write the lines of a split as JSON lines; returns the path."""
    return write_json_lines(path, (line.to_json() for line in lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTask:
    """A sample task.

    Attributes:
        name: of its folders under `data/` and `checkpoints/`.
        labels: its classes in the order of the model's outputs; empty for a task without classes.
        make_drawer: reads the grammars and returns the function that draws one random line.
        train_lines: lines of the training split, unless another number is given.
        dev_lines: lines of the development split, unless another number is given.
        write_split: writes the lines of a split in the task's file format.
    """

    name: str
    labels: tuple[ClassLabel, ...]
    make_drawer: Callable[[], Callable[[Random], SampleLine]]
    train_lines: int
    dev_lines: int
    write_split: Callable[[Path, Sequence[SampleLine]], Path] = write_lines
