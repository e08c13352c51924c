"""`floor`: what a request costs where nothing is computed."""

import argparse
import sys
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Serve models that pass a text on, one Python stage and an ensemble of three, "
        "and time one request at a time; pipelines of a repository are timed beside them, in "
        "turn. Prints a Markdown table."
    )
    parser.add_argument(
        "--repository",
        type=Path,
        default=Path("model_repository"),
        help="of the pipelines (default %(default)s)",
    )
    parser.add_argument(
        "--name", action="append", default=[], help="a pipeline (repeatable; default: none)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="(default %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="of each figure (default %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.floor.measure import measure_floor

    found = measure_floor(
        arguments.repository,
        tuple(arguments.name),
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(found.table())
    return 0
