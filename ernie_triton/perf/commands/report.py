"""`report`: write results as a table and plots."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from ernie_triton.errors import DatasetError
from ernie_triton.perf.reporting.notes import heading_of, mixed_load_lines, unstable_lines
from ernie_triton.perf.reporting.plots import draw_all
from ernie_triton.perf.reporting.table import result_table
from ernie_triton.perf.results import Measurement, ScenarioRun, read_run

_FORMATS = ("markdown", "csv", "json", "text")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Print the results of one or several runs as a table. With --output, write it and plots to "
        "a folder (extra perf), and print the files. Unstable figures are marked in the table and "
        "left out of the plots."
    )
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT.json", help="of `run`")
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default="markdown",
        help="format of the table; csv and json have more columns (default %(default)s)",
    )
    parser.add_argument("--output", type=Path, help="folder for the table and the plots")
    parser.add_argument(
        "--with-unstable", action="store_true", help="draw unstable figures as well"
    )
    parser.add_argument(
        "--accuracy",
        action="append",
        default=[],
        metavar="SUBJECT=VALUE",
        help="a subject's metric on labelled data, 0 to 1, where the results lack it (repeatable)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    runs = _with_accuracies([read_run(path) for path in arguments.results], arguments.accuracy)
    measurements = [one for run in runs for one in run.measurements]
    if not measurements:
        raise DatasetError("the results hold no measurement; run the scenario again")
    is_prose = arguments.format in ("markdown", "text")
    text = getattr(result_table(measurements, is_brief=is_prose), arguments.format)()
    if is_prose:
        sentences = [f"{line}." for run in runs for line in mixed_load_lines(run.measurements)]
        sentences += unstable_lines(measurements)
        text = "\n\n".join([heading_of(runs), text, *sentences]) + "\n"
    if arguments.output is None:
        print(text, end="")
    else:
        _write(arguments, runs, measurements, text)
    return 0


def _write(
    arguments: argparse.Namespace,
    runs: Sequence[ScenarioRun],
    measurements: Sequence[Measurement],
    text: str,
) -> None:
    folder: Path = arguments.output
    suffix = {"markdown": "md", "text": "txt"}.get(arguments.format, arguments.format)
    drawn = [one for one in measurements if arguments.with_unstable or not one.unstable]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"table.{suffix}"]
        paths[0].write_text(text, encoding="utf-8")
        paths += draw_all(drawn, runs[0].title, folder) if drawn else []
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written: {error.strerror}") from error
    print("\n".join(map(str, paths)))
    if missing := len(measurements) - len(drawn):
        print(
            f"not drawn: {missing} of {len(measurements)} loads, whose figures are unstable; "
            f"--with-unstable draws them",
            file=sys.stderr,
        )


def _with_accuracies(runs: Sequence[ScenarioRun], given: Sequence[str]) -> list[ScenarioRun]:
    values = dict(map(_accuracy, given))
    known = {one.subject.name for run in runs for one in run.measurements}
    for name in values.keys() - known:
        raise DatasetError(f"there is no subject {name!r}; known are {', '.join(sorted(known))}")
    return [
        dataclasses.replace(
            run, measurements=tuple(_with_accuracy(one, values) for one in run.measurements)
        )
        for run in runs
    ]


def _with_accuracy(found: Measurement, values: dict[str, float]) -> Measurement:
    value = values.get(found.subject.name, found.subject.accuracy)
    return dataclasses.replace(found, subject=dataclasses.replace(found.subject, accuracy=value))


def _accuracy(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not name or not 0 <= value <= 1:
        raise DatasetError(f"--accuracy {text!r} is not SUBJECT=VALUE with a value of 0 to 1")
    return name, value
