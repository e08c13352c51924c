"""`inspect`: what a checkpoint is."""

import argparse
from pathlib import Path

from ernie_triton.build.commands import Commands
from ernie_triton.build.commands.inspection import describe
from ernie_triton.build.load import read_source


def add_command(commands: Commands) -> None:
    """Add the command and its options."""
    inspect = commands.add_parser(
        "inspect", help="say what a checkpoint is, without building", allow_abbrev=False
    )
    inspect.add_argument("checkpoint", type=Path, help="a checkpoint folder or an exported file")
    inspect.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    print(describe(read_source(arguments.checkpoint)))
    return 0
