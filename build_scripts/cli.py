"""The command line: `python -m build_scripts COMMAND`; each command is a module of its own."""

import argparse
import sys
from collections.abc import Sequence

from ernie_triton.perf.commands import benchmark
from ernie_triton.build.commands import build
from ernie_triton.build.commands import check_engine
from ernie_triton.perf.compression_report import command as compress
from ernie_triton.training.commands import distil
from ernie_triton.build.commands import engine
from ernie_triton.build.commands import export
from ernie_triton.training.commands import finetune
from ernie_triton.build.commands import inspect
from ernie_triton.training.commands import prune
from ernie_triton.training.commands import quantize
from ernie_triton.build.commands import random
from ernie_triton.errors import ErnieTritonError

COMMANDS = (
    build,
    inspect,
    benchmark,
    random,
    export,
    engine,
    check_engine,
    finetune,
    prune,
    distil,
    quantize,
    compress,
)
"""Modules with `add_command(commands)`, which sets `run`, the command's function, as default."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when done, 1 for what the user can mend."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ErnieTritonError as error:
        # The runtimes' own messages have several lines.
        print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m build_scripts",
        description="Convert a fine-tuned checkpoint into a Triton ensemble.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_command(commands)
    return parser
