"""`tune`: find the threads, instances, batch and delay that suit this machine."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.errors import MissingExtraError, PipelineError
from ernie_triton.perf.commands import sigterm_as_ctrl_c, write_progress
from ernie_triton.pipeline import load_pipeline

if TYPE_CHECKING:
    from ernie_triton.perf.tuning.tune import TuneOptions

_QUICK_ROUNDS = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Serve a built pipeline with other threads, instances (of the engine, and of the stages "
        "around it), max_batch_size and max_queue_delay_us, measure each with the real "
        "perf_analyzer, and write the pipeline's TOML file with the best values. A value changes "
        "only where the gain exceeds the spread of figures taken in turn. Prints the "
        "trials, then the file to build from. Takes about five minutes with the defaults."
    )
    parser.add_argument("pipeline", type=Path, help="TOML of a pipeline that is built")
    parser.add_argument(
        "--repository",
        type=Path,
        help="model repository of the pipeline (default: as the pipeline says)",
    )
    parser.add_argument(
        "--output", type=Path, help="TOML to write, in the same folder (default: NAME.tuned.toml)"
    )
    _add_load(parser)
    _add_durations(parser)


def _add_load(tune: argparse.ArgumentParser) -> None:
    """Add the options of load and limits."""
    tune.add_argument(
        "--latency-budget-ms",
        type=_number_above(0.0),
        metavar="MS",
        help="largest accepted p99 latency (default: any, for the most texts per second)",
    )
    tune.add_argument(
        "--concurrency",
        type=_integer_from(1),
        default=32,
        help="requests always under way (default %(default)s)",
    )
    tune.add_argument(
        "--rows",
        type=_integer_from(1),
        default=1,
        help="rows of a request; smaller max_batch_size is not tried (default %(default)s)",
    )
    tune.add_argument(
        "--texts",
        type=Path,
        help="texts, one a line, a TAB between the texts of a row (default: title-like texts)",
    )
    tune.add_argument(
        "--cores",
        type=_cores,
        help="cores of the server, such as 0 or 0-3,6 (default: all); the load generator may use "
        "all cores",
    )


def _add_durations(tune: argparse.ArgumentParser) -> None:
    """Add the options of durations."""
    tune.add_argument(
        "--rounds",
        type=_integer_from(2),
        default=5,
        help="turns of the best few and the defaults (default %(default)s)",
    )
    tune.add_argument(
        "--screen-seconds",
        type=_number_above(0.6),
        default=3.0,
        help="duration of a figure when candidates are screened (default %(default)s)",
    )
    tune.add_argument(
        "--seconds",
        type=_number_above(0.6),
        default=6.0,
        help="duration of a figure of the best few (default %(default)s)",
    )
    tune.add_argument(
        "--quick",
        action="store_true",
        help="try the command: one candidate, figures too short to trust, two rounds",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    source: Path = arguments.pipeline
    output = arguments.output or source.with_name(f"{source.stem}.tuned.toml")
    try:
        import psutil  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("psutil", "perf", "watching the machine") from error
    from ernie_triton.perf.tuning.report import smaller_batch_warning, trials_table, verdict
    from ernie_triton.perf.tuning.repository import as_built
    from ernie_triton.perf.tuning.toml_file import write_tuned
    from ernie_triton.perf.tuning.tune import tune

    spec = load_pipeline(source)
    _check_tuned_file(output, source)
    how = f"ernie-triton build {source}"
    if arguments.repository:
        spec = dataclasses.replace(spec, repository=arguments.repository)
        how += f" --repository {arguments.repository}"
    spec = as_built(spec, how)
    options = _options(arguments)
    try:
        with sigterm_as_ctrl_c():
            tuned = tune(spec, options, write_progress)
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 1
    write_tuned(output, source, tuned.decision.chosen.setting, tuned.notes)
    print(trials_table(tuned.trials, tuned.decision))
    print(verdict(tuned.decision, options.budget_ms))
    if warning := smaller_batch_warning(tuned.decision):
        print(warning)
    print(output)
    return 0


def _options(arguments: argparse.Namespace) -> "TuneOptions":
    from ernie_triton.perf.analyzer.text_spec import TextSpec
    from ernie_triton.perf.tuning.affinity import usable_cores
    from ernie_triton.perf.tuning.tune import TuneOptions

    return TuneOptions(
        concurrency=arguments.concurrency,
        rows=arguments.rows,
        cores=usable_cores(arguments.cores),
        budget_ms=arguments.latency_budget_ms,
        texts=TextSpec(file=arguments.texts) if arguments.texts else None,
        rounds=_QUICK_ROUNDS if arguments.quick else arguments.rounds,
        screen_seconds=arguments.screen_seconds,
        seconds=arguments.seconds,
        quick=arguments.quick,
    )


def _check_tuned_file(output: Path, source: Path) -> None:
    """Refuse an impossible output before anything is measured.

    Raises:
        PipelineError: it is the pipeline itself, in another folder, or cannot be written.
    """
    folder = source.resolve().parent
    if output.resolve().parent != folder:
        raise PipelineError(
            f"--output {output} is in another folder than {source}, to whose folder its paths are "
            f"relative; name a file in {source.parent}"
        )
    if output.resolve() == source.resolve():
        raise PipelineError(f"--output {output} is the pipeline itself; name another file")
    if output.is_dir() or not os.access(folder, os.W_OK):
        raise PipelineError(f"{output} cannot be written; name a file in a folder that can be")


def _cores(text: str) -> frozenset[int]:
    from ernie_triton.perf.tuning.affinity import cores_from

    try:
        return cores_from(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of cores; expected such as 0 or 0-3,6"
        ) from error


def _integer_from(least: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number from {least}")
        return int(text)

    return integer


def _number_above(least: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = least
        if not least < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r}; expected a number above {least:g}")
        return value

    return number
