"""`baseline`: the repository of what we compare with."""

import argparse
from pathlib import Path

from ernie_triton.perf.commands import Commands


def add_command(commands: Commands) -> None:
    """Add the command and its options."""
    baseline = commands.add_parser(
        "baseline",
        help="write a checkpoint's model repository as the published example has it",
        description="Write an ensemble that serves a checkpoint as the published ERNIE example "
        "does: the graph as exported, ONNX Runtime FP32, each request by itself. The checkpoint "
        "needs vocab.txt and exported.onnx; the latter is made where it is missing (extra train). "
        "Prints the ensemble's folder.",
        allow_abbrev=False,
    )
    baseline.add_argument(
        "--checkpoint", type=Path, required=True, help="a transformers checkpoint's folder"
    )
    baseline.add_argument(
        "--repository", type=Path, required=True, help="model repository to write into"
    )
    baseline.add_argument("--name", default="baseline", help="of the ensemble (default baseline)")
    baseline.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ernie_triton.perf.baseline.repository import write_baseline

    print(write_baseline(arguments.checkpoint, arguments.repository, arguments.name))
    return 0
