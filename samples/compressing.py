"""Compress teachers of real texts, with several seeds: the table of `docs/compression.md`.

It gives the commands of `ernie-triton` one after the other, and prints them. What is done already
is not done again.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.cli import main as ernie_triton
from ernie_triton.model_shapes import Shape
from samples.bases import write_base
from samples.errors import DataError
from samples.real.splits import HELD_OUT_FILE

TASKS_OF_DATA = {"entities": "token_cls", "reviews": "seq_cls"}
"""The data sets, and their tasks."""

LEARNING_RATE = 3e-4
"""The highest of teachers and of what is made of them."""

EPOCHS = 4
"""Passes of a teacher over its data."""

_SHAPE = Shape(layers=6, hidden=256, heads=8, feed_forward=1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealCompression:
    """Settings of all runs.

    Attributes:
        data: folder that `real` wrote.
        vocab: the teachers' vocabulary.
        output: folder of everything that is made.
        seeds: one teacher of each data set for each.
        names: of the data sets.
        base: a pre-trained checkpoint, the base of all teachers. None for random weights that learn
            the words of the newspaper first.
        options: further options of `compress`.
        epochs: passes over the words, and over the data of each task.
        learning_rate: the highest, but for the words.
    """

    data: Path
    vocab: Path
    output: Path
    seeds: Sequence[int]
    names: Sequence[str] = tuple(TASKS_OF_DATA)
    base: Path | None = None
    options: Sequence[str] = ()
    epochs: int = EPOCHS
    learning_rate: float = LEARNING_RATE

    def report(self, name: str, seed: int) -> Path:
        """Return the report of a data set and a seed."""
        return self.output / f"{name}_{seed}/report/report.json"


def compress_real(wanted: RealCompression) -> int:
    """Train and compress all teachers, and write a table of each data set.

    Returns:
        The exit code of the command that failed, or 0.

    Raises:
        DataError: the data are not there.
    """
    if not (wanted.data / "words").is_dir():
        raise DataError(f"{wanted.data} has no words; make it with `python -m samples real`")
    for made, words in _commands(wanted):
        if made.exists():
            print(f"{made} is there", file=sys.stderr)
            continue
        print(f"$ ernie-triton {' '.join(words)}", file=sys.stderr, flush=True)
        code = ernie_triton(words)
        if code:
            return code
    return _write_tables(wanted)


def _commands(wanted: RealCompression) -> Iterator[tuple[Path, list[str]]]:
    """Yield what a command makes, and its words."""
    for seed in wanted.seeds:
        common = ["--epochs", str(wanted.epochs), "--seed", str(seed)]
        base = wanted.base
        if base is None:
            base = wanted.output / f"words_{seed}"
            weightless = _weightless_base(wanted)
            yield base, _finetune("token_cls", weightless, wanted.data / "words", base, common)
        rate = ["--learning-rate", str(wanted.learning_rate)]
        for name in wanted.names:
            data, teacher = wanted.data / name, wanted.output / f"{name}_{seed}_teacher"
            yield teacher, _finetune(TASKS_OF_DATA[name], base, data, teacher, [*common, *rate])
            report = wanted.report(name, seed)
            command = ["compress", str(teacher), "--data", str(data)]
            command += ["--output", str(report.parents[1]), "--seed", str(seed), *rate]
            test = ["--test-file", str(data / HELD_OUT_FILE)]
            yield report, [*command, *test, *wanted.options]


def _weightless_base(wanted: RealCompression) -> Path:
    base = wanted.output / "base"
    if not base.is_dir():
        write_base(_SHAPE, wanted.vocab, base)
    return base


def _finetune(task: str, base: Path, data: Path, output: Path, more: Sequence[str]) -> list[str]:
    words = ["finetune", task, "--checkpoint", str(base), "--data", str(data)]
    return [*words, "--output", str(output), *more]


def _write_tables(wanted: RealCompression) -> int:
    from ernie_triton.perf.compression_report.several import (
        read_compression_report,
        several_markdown,
    )

    for name in wanted.names:
        reports = [read_compression_report(wanted.report(name, seed)) for seed in wanted.seeds]
        path = wanted.output / f"{name}.md"
        path.write_text(several_markdown(reports), encoding="utf-8")
        print(path)
    return 0
