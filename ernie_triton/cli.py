"""The command line: `python -m ernie_triton COMMAND`; each command is a module of its own."""

import argparse
import sys
from collections.abc import Sequence

from ernie_triton.server import check_plans
from ernie_triton.server import serve
from ernie_triton.errors import ErnieTritonError

COMMANDS = (serve, check_plans)
"""Modules with `add_command(commands)`, which sets `run`, the command's function, as default."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when done, 1 for what the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m ernie_triton", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_command(commands)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ErnieTritonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
