"""Train and dev files of a task, with no sentence in both."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from samples.errors import DataError
from samples.tasks import SampleLine, SampleTask

MAX_FRUITLESS_DRAWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSizes:
    """Lines in each split."""

    train: int
    dev: int

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            DataError: a size is not positive.
        """
        if self.train < 1 or self.dev < 1:
            raise DataError(f"a split of {self.train} and {self.dev} lines; each needs at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The lines of both splits."""

    train: tuple[SampleLine, ...]
    dev: tuple[SampleLine, ...]


def make_splits(task: SampleTask, sizes: SplitSizes, seed: int) -> Splits:
    """Draw both splits; the same task, sizes and seed always give the same lines.

    Raises:
        DataError: the grammar is too small for so many different lines.
    """
    draw = task.make_drawer()
    dev = draw_lines(draw, sizes.dev, Random(f"{task.name}/dev/{seed}"), frozenset())
    taken = frozenset(sentence for line in dev for sentence in line.sentences)
    train = draw_lines(draw, sizes.train, Random(f"{task.name}/train/{seed}"), taken)
    return Splits(train=train, dev=dev)


def draw_lines(
    draw: Callable[[Random], SampleLine], count: int, rng: Random, taken: frozenset[str]
) -> tuple[SampleLine, ...]:
    """Draw `count` different lines, none with a sentence of `taken` or one sentence twice.

    Raises:
        DataError: no new line came up in a long row of draws.
    """
    lines: dict[tuple[str, ...], SampleLine] = {}
    fruitless = 0
    while len(lines) < count:
        line = draw(rng)
        texts = line.sentences
        key = tuple(sorted(texts))
        if key in lines or len(set(texts)) < len(texts) or not taken.isdisjoint(texts):
            fruitless += 1
            if fruitless > MAX_FRUITLESS_DRAWS:
                raise DataError(
                    f"only {len(lines)} of {count} different lines can be drawn; ask for fewer or "
                    f"add words to the grammar"
                )
            continue
        fruitless = 0
        lines[key] = line
    return tuple(lines.values())


def write_task_data(task: SampleTask, sizes: SplitSizes, seed: int, folder: Path) -> list[Path]:
    """Write train.json, dev.json and labels.json (JSON lines) into a folder, made if missing.

    Returns:
        The three paths.

    Raises:
        DataError: the grammar is too small for so many different lines.
    """
    splits = make_splits(task, sizes, seed)
    labels = ({"label": label.label, "label_desc": label.name} for label in task.labels)
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write_json_lines(folder / "train.json", (line.to_json() for line in splits.train)),
        write_json_lines(folder / "dev.json", (line.to_json() for line in splits.dev)),
        write_json_lines(folder / "labels.json", labels),
    ]


def write_json_lines(
    path: Path, records: Iterable[dict[str, object]] | Iterable[dict[str, str]]
) -> Path:
    """Write one JSON object a line, UTF-8, characters as they are; returns the path."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path
