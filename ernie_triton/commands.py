"""Run commands that are modules; a module is imported only for its own command.

A command's module has `add_options(parser)`, which sets its description and options, and
`run(arguments)`, which returns the exit code: 0 done, 1 the user can mend it.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from ernie_triton.errors import ErnieTritonError, MissingExtraError, UsageError

_OURS = __name__.partition(".")[0]


class _CommandModule(Protocol):
    def add_options(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command, or a group of commands.

    Attributes:
        name: the word on the command line.
        help: its line in the list of commands.
        module: the module with `add_options` and `run`; empty for a group.
        group: the commands of a group.
        extra: this package's extra with the module's dependencies, to name if one is missing.
        takes_rest: whether arguments after `--` are passed on, as `arguments.rest`.
    """

    name: str
    help: str
    module: str = ""
    group: tuple["Command", ...] = ()
    extra: str = ""
    takes_rest: bool = False


def run_commands(
    commands: Sequence[Command], description: str, argv: Sequence[str], prog: str
) -> int:
    """Run the command that the first argument names.

    Returns:
        The command's exit code; 1 after one line on stderr about an error that the user can mend.

    Raises:
        SystemExit: 0 after `--help`; 2 for wrong usage.
    """
    chosen = {command.name: command for command in commands}.get(argv[0]) if argv else None
    if chosen is None:
        parser = argparse.ArgumentParser(prog=prog, description=description, allow_abbrev=False)
        names = parser.add_subparsers(required=True, metavar="COMMAND")
        for command in commands:
            names.add_parser(command.name, help=command.help)
        parser.parse_args(argv)
        parser.error("name a command")
    prog = f"{prog} {chosen.name}"
    if chosen.group:
        return run_commands(chosen.group, chosen.help, argv[1:], prog)
    return run_command(chosen, argv[1:], prog)


def run_command(command: Command, argv: Sequence[str], prog: str) -> int:
    """Run one command with its own arguments.

    Returns:
        The exit code, as for `run_commands`.

    Raises:
        SystemExit: 0 after `--help`; 2 for wrong usage.
    """
    try:
        with _missing_extra_named(command):
            module = cast(_CommandModule, import_module(command.module))
            parser = argparse.ArgumentParser(prog=prog, allow_abbrev=False)
            module.add_options(parser)
            end = argv.index("--") if command.takes_rest and "--" in argv else len(argv)
            arguments = parser.parse_args(argv[:end])
            if command.takes_rest:
                arguments.rest = list(argv[end + 1 :])
            try:
                return int(module.run(arguments))
            except UsageError as error:
                parser.error(str(error))
    except BrokenPipeError:
        # The reader of our output has gone; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ErnieTritonError as error:
        # The runtimes' own messages have several lines.
        print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 1


def path_or_none(text: str) -> Path | None:
    """A path as an option's value; None for an empty one, as a compose file passes on."""
    return Path(text) if text else None


@contextlib.contextmanager
def _missing_extra_named(command: Command) -> Iterator[None]:
    """Name the extra whose package is missing, whether it is imported at once or by `run`."""
    try:
        yield
    except MissingExtraError:
        raise
    except ModuleNotFoundError as error:
        if not command.extra or str(error.name).partition(".")[0] == _OURS:
            raise
        raise MissingExtraError(str(error.name), command.extra, f"`{command.name}`") from error
