"""Answer a large file of texts with many processes: `ernie-triton batch TASK`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from ernie_triton.bulk.file_parts import FilePart, file_parts
from ernie_triton.bulk.part_worker import PartOutcome, PartWorker
from ernie_triton.bulk.ray_parts import RayRun, answered_on_ray
from ernie_triton.client.cli.options import (
    add_part_options,
    options_from_namespace,
    positive_int,
)
from ernie_triton.client.cli.parts import PartFolder, opened_part_folder
from ernie_triton.client.cli.run import part_facts, run_summary, task_command, task_options
from ernie_triton.errors import ClientError
from ernie_triton.tasks import TASKS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add a command for each task, with the options of its `ask` that concern files."""
    parser.description = (
        "Answer each row of a large file, with processes on one machine or several (Ray), into "
        "Parquet files of a folder. Run again, it goes on after those that are there."
    )
    tasks = parser.add_subparsers(required=True, dest="task", metavar="TASK")
    for name in TASKS:
        command = task_command(name)
        own = tasks.add_parser(name, help=command.usage.description, allow_abbrev=False)
        own.description = command.usage.description
        add_part_options(own, command.usage)
        _add_process_options(own)
        command.add_options(own)


def _add_process_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("processes")
    group.add_argument(
        "--repository",
        type=Path,
        metavar="DIR",
        help="run the stages of --model in the processes themselves, from this model repository; "
        "no server is asked",
    )
    group.add_argument(
        "--workers",
        type=positive_int,
        metavar="N",
        help="processes (default: one for each machine; with --repository, one for each core)",
    )
    group.add_argument(
        "--ray-address",
        default="",
        metavar="HOST:PORT",
        help="a Ray cluster whose machines share the files (default: this machine alone)",
    )


def run(found: argparse.Namespace) -> int:
    """Answer the parts that are not there; 0 done, 1 a row failed or the run had to stop.

    Raises:
        UsageError: options contradict each other, or the folder belongs to another run.
        ErnieTritonError: the file cannot be read, the run cannot begin, or it had to stop.
    """
    started = time.monotonic()
    found = _with_absolute_paths(found)
    command = task_command(found.task)
    options = options_from_namespace(found, command.usage.texts)
    command.check_options(found)
    with closing(PartWorker(found.task, found)) as first:
        facts = part_facts(first.job(), options, task_options(command, found))
    with opened_part_folder(found.output, facts) as folder:
        missing = [
            part
            for part in file_parts(options, found.part_rows)
            if not folder.has(part.number, part.rows)
        ]
        of_ray = RayRun(
            task=found.task, found=found, address=found.ray_address, workers=found.workers
        )
        rows = sum(part.rows for part in missing)
        outcomes = answered_on_ray(of_ray, missing) if missing else iter(())
        try:
            failed = _failed_of(outcomes, rows, found.output)
        except KeyboardInterrupt:
            print(f"stopped; run it again to go on with {found.output}", file=sys.stderr)
            return 1
        _check_whole(folder, missing)
    print(found.output)
    print(run_summary(rows, failed, time.monotonic() - started), file=sys.stderr)
    return 1 if failed else 0


def _with_absolute_paths(found: argparse.Namespace) -> argparse.Namespace:
    """The arguments for processes with another working directory."""
    paths = {
        name: value.resolve() for name, value in vars(found).items() if isinstance(value, Path)
    }
    return argparse.Namespace(**{**vars(found), **paths, "file": str(Path(found.file).resolve())})


def _failed_of(outcomes: Iterable[PartOutcome], rows: int, output: Path) -> int:
    """The number of rows that failed, of so many; shows how far a run is.

    Raises:
        ClientError: a part could not be answered.
    """
    # Imported here because `--help` needs no bar.
    from ernie_triton.client.cli.progress import file_progress

    failed = 0
    with file_progress(rows, "row") as progress:
        for outcome in outcomes:
            if outcome.error:
                raise ClientError(f"{outcome.error}; run it again to go on with {output}")
            failed += outcome.failed
            progress.update(outcome.rows)
    return failed


def _check_whole(folder: PartFolder, parts: Iterable[FilePart]) -> None:
    """Raise ClientError if a part is not there."""
    lost = [part for part in parts if not folder.has(part.number, part.rows)]
    if lost:
        raise ClientError(
            f"{folder.path(lost[0].number)} is not there, or not whole; do all machines share "
            f"{folder.folder}? Run it again"
        )
