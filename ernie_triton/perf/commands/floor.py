"""`floor`: time requests of models that compute nothing."""

import argparse
from pathlib import Path

from ernie_triton.perf.commands import write_progress


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Serve models that pass a text on, one Python stage and an ensemble of three, and time one "
        "request at a time. Pipelines of a repository are timed in turn with them, and then put "
        "under load: the CPU time of a text in each stage, and the texts per second that each "
        "lets through. Prints Markdown tables."
    )
    parser.add_argument(
        "--repository",
        type=Path,
        default=Path("model_repository"),
        help="model repository of the pipelines (default %(default)s)",
    )
    parser.add_argument(
        "--name", action="append", default=[], help="name of a pipeline (repeatable; default: none)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="turns of each model (default %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="duration of a figure (default %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.floor.measure import measure_floor

    found = measure_floor(
        arguments.repository,
        tuple(arguments.name),
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        progress=write_progress,
    )
    print(found.table())
    return 0
