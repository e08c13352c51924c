"""`inspect`: what a checkpoint is."""

import argparse
from pathlib import Path

from ernie_triton.build.commands.inspection import describe
from ernie_triton.build.load import read_source


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = "say what a checkpoint is, without building"
    parser.add_argument("checkpoint", type=Path, help="a checkpoint folder or an exported file")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    print(describe(read_source(arguments.checkpoint)))
    return 0
