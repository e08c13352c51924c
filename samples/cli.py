"""Make the sample data, the vocabulary and the tiny models, and measure them.

stdout carries the result (a path a line, or JSON), stderr the progress.
"""

import argparse
import sys
from collections.abc import Sequence

from ernie_triton.errors import ErnieTritonError
from samples.commands.data import add_data_commands
from samples.commands.models import add_model_commands


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 an error that the user can correct, 2 wrong usage."""
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except (ErnieTritonError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m samples", description=(__doc__ or "").splitlines()[0], allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_data_commands(commands)
    add_model_commands(commands)
    return parser
