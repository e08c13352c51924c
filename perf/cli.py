"""The command line: `python -m perf COMMAND`; each command is a module of its own."""

import argparse
import sys
from collections.abc import Sequence

from ernie_triton.errors import ErnieTritonError
from ernie_triton.perf.commands import analyze
from ernie_triton.perf.commands import baseline
from ernie_triton.perf.commands import compare
from ernie_triton.perf.commands import floor
from ernie_triton.perf.commands import goals
from ernie_triton.perf.commands import limit
from ernie_triton.perf.commands import report
from ernie_triton.perf.commands import run
from ernie_triton.perf.commands import scaling
from ernie_triton.perf.commands import tokenizer
from ernie_triton.perf.commands import tune

COMMANDS = (analyze, baseline, compare, floor, limit, run, report, tokenizer, scaling, goals, tune)
"""Modules with `add_command(commands)`, which sets `run`, the command's function, as default."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 done, 1 the user can mend it, otherwise perf_analyzer's own exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    # What follows `--` is perf_analyzer's.
    end = given.index("--") if "--" in given else len(given)
    arguments = _parser().parse_args(given[:end])
    arguments.rest = given[end + 1 :]
    try:
        return int(arguments.run(arguments))
    except ErnieTritonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m perf",
        description="Measure a server with the real perf_analyzer.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_command(commands)
    return parser
