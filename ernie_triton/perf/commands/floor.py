"""`floor`: what a request costs where nothing is computed."""

import argparse
import sys
from pathlib import Path

from ernie_triton.perf.commands import Commands


def add_command(commands: Commands) -> None:
    """Add the command and its options."""
    floor = commands.add_parser(
        "floor",
        help="latency of the server itself, and how far above it pipelines are",
        description="Serve models that pass a text on, one Python stage and an ensemble of three, "
        "and time one request at a time; pipelines of a repository are timed beside them, in "
        "turn. Prints a Markdown table.",
        allow_abbrev=False,
    )
    floor.add_argument(
        "--repository",
        type=Path,
        default=Path("model_repository"),
        help="of the pipelines (default %(default)s)",
    )
    floor.add_argument(
        "--name", action="append", default=[], help="a pipeline (repeatable; default: none)"
    )
    floor.add_argument("--rounds", type=int, default=5, help="(default %(default)s)")
    floor.add_argument(
        "--seconds", type=float, default=2.0, help="of each figure (default %(default)s)"
    )
    floor.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
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
