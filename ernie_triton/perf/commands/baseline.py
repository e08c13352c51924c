"""`baseline`: write a repository that serves as the published example does."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Write an ensemble that serves a checkpoint as the published ERNIE example does: the graph "
        "as exported, ONNX Runtime FP32, each request by itself. The checkpoint needs vocab.txt "
        "and exported.onnx; the latter is made where it is missing (extra train). Prints the "
        "ensemble's folder."
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="a transformers checkpoint's folder"
    )
    parser.add_argument(
        "--repository", type=Path, required=True, help="model repository to write into"
    )
    parser.add_argument(
        "--name", default="baseline", help="name of the ensemble (default %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.baseline.repository import write_baseline

    print(write_baseline(arguments.checkpoint, arguments.repository, arguments.name))
    return 0
