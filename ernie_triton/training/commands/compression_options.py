"""Options that the commands of compression share, and how they are read."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ernie_triton.training.compression.step_report import StepReport
    from ernie_triton.training.datasets import DataSet
    from ernie_triton.training.loop.schedule import Schedule

_T = TypeVar("_T")

_NOT_COMPRESSED = ("embedding", "choice", "cloze")


def add_place_options(parser: argparse.ArgumentParser, *, needs_data: bool) -> None:
    """Add the options for checkpoint, data and output."""
    from ernie_triton.training.datasets import TRAINED_TASKS

    tasks = [task for task in TRAINED_TASKS if task not in _NOT_COMPRESSED]
    parser.add_argument("checkpoint", type=Path, help="folder of the fine-tuned model")
    parser.add_argument(
        "--data",
        type=Path,
        required=needs_data,
        metavar="DIR",
        help="folder with train.json and dev.json of the task, in CLUE's formats",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to make")
    parser.add_argument(
        "--task", choices=tasks, help="task of the data (default: the checkpoint's)"
    )


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training."""
    training = parser.add_argument_group("training")
    training.add_argument(
        "--batch-size", type=int, metavar="ROWS", help="rows of a batch (default 32)"
    )
    training.add_argument("--max-length", type=int, metavar="TOKENS", help=_LENGTHS)
    training.add_argument("--seed", type=int, help="seed of all random choices (default 42)")
    training.add_argument(
        "--precision", choices=("auto", "fp32", "bf16", "fp16"), help="number format (default auto)"
    )
    training.add_argument(
        "--temperature", type=float, help="softens the teacher's answers (default 2)"
    )
    training.add_argument(
        "--no-resume",
        dest="resume",
        action="store_false",
        help="start anew instead of resuming a killed run",
    )


_LENGTHS = "most tokens of a row (default 128, for token_cls and qa 384)"


def read_data(arguments: argparse.Namespace) -> "DataSet":
    """Read the data set that the options name.

    Raises:
        DatasetError: a file or a line is wrong.
        CheckpointError: neither the options nor the checkpoint name the task.
    """
    from ernie_triton.build.progress import timed_step
    from ernie_triton.errors import DatasetError
    from ernie_triton.training.compression.preparation import task_of
    from ernie_triton.training.datasets import read_dataset

    with timed_step("data") as notes:
        task = arguments.task or task_of(arguments.checkpoint)
        if task in _NOT_COMPRESSED:
            raise DatasetError(
                f"models of {task} cannot be compressed; name a model of another task"
            )
        data = read_dataset(task, arguments.data)
        notes.append(f"{data.task}, {len(data.train):,} to train, {len(data.dev):,} to measure on")
        notes.extend(data.notes)
    return data


def schedule_from(
    arguments: argparse.Namespace,
    usual: "Schedule",
    *,
    epochs: int | None,
    learning_rate: float | None,
) -> "Schedule":
    """Return a schedule with the values of the command line.

    Raises:
        TrainingError: a value is out of its range.
    """
    values = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": arguments.batch_size,
        "seed": arguments.seed,
        "precision": arguments.precision,
    }
    return dataclasses.replace(
        usual,
        **{name: value for name, value in values.items() if value is not None},
    )


def given(value: _T | None, usual: _T) -> _T:
    """Return the value of an option, or the default for None; 0 is a value."""
    return usual if value is None else value


def print_report(report: "StepReport", output: Path) -> None:
    """Print the figures, and the path of the checkpoint."""
    print(report.lines())
    print(output)
