"""Write the train and dev files of a task, with no sentence in both."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from samples.errors import DataError
from samples.tasks import SampleLine, SampleTask, write_json_lines

MAX_FRUITLESS_DRAWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSizes:
    """Numbers of lines in each split."""

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
    dev = draw_dev(task, sizes.dev, seed)
    taken = frozenset(sentence for line in dev for sentence in line.sentences)
    train = draw_lines(draw, sizes.train, Random(f"{task.name}/train/{seed}"), taken)
    return Splits(train=train, dev=dev)


def draw_dev(task: SampleTask, count: int, seed: int) -> tuple[SampleLine, ...]:
    """Draw the dev split, which does not depend on the train split."""
    rng = Random(f"{task.name}/dev/{seed}")
    return draw_lines(task.make_drawer(), count, rng, frozenset())


def draw_lines(
    draw: Callable[[Random], SampleLine], count: int, rng: Random, taken: frozenset[str]
) -> tuple[SampleLine, ...]:
    """Draw `count` different lines without the sentences in `taken` and without repeated ones.

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
    """Write train.json, dev.json and, if the task has labels, labels.json into a folder.

    Returns:
        The paths.

    Raises:
        DataError: the grammar is too small for so many different lines.
    """
    splits = make_splits(task, sizes, seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [
        task.write_split(folder / "train.json", splits.train),
        task.write_split(folder / "dev.json", splits.dev),
    ]
    if task.labels:
        labels = ({"label": label.label, "label_desc": label.name} for label in task.labels)
        paths.append(write_json_lines(folder / "labels.json", labels))
    return paths
