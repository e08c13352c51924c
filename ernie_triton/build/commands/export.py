"""Write a checkpoint's graph as torch exports it: the command `export`."""

import argparse
from pathlib import Path

from ernie_triton.build.progress import timed_step


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Write exported.onnx beside the weights of a transformers sequence "
        "classifier: the graph as torch's exporter makes it, FP32, for padded rows. The baseline "
        "serves it. Prints the file."
    )
    parser.add_argument("checkpoint", type=Path, help="a transformers checkpoint")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    # Needs the extra `train`; the other commands do not.
    from ernie_triton.build.random_models.torch_export import export_checkpoint

    with timed_step("export"):
        path = export_checkpoint(arguments.checkpoint)
    print(path)
    return 0
