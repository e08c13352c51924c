"""The command line that every client has, as typed options.

Read by `command`; a task adds its own options and names its texts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.client.cli.stream import DEFAULT_BATCH_SIZE, DEFAULT_CONCURRENCY, Window
from ernie_triton.client.core import DEFAULT_RETRIES, DEFAULT_TIMEOUT_S, Policy
from ernie_triton.client.items import STDIN, TextField, text_from_file
from ernie_triton.client.transport import Connection
from ernie_triton.client.wire import Endpoint
from ernie_triton.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the common options say about a task.

    Attributes:
        description: the first line of the help.
        default_model: the ensemble unless told otherwise.
        fields: where each of a row's texts comes from; the first is always there.
        examples: what a file for `--evaluate` holds.
        output: what a file of `--output` holds.
    """

    description: str
    default_model: str
    fields: tuple[TextField, ...]
    examples: str
    output: str = "JSON lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a command line asks for; one of `columns`, `file` and `evaluate` is there.

    Attributes:
        connection: the server and the model.
        policy: timeout and retries.
        window: rows of a request, and requests at once.
        columns: texts of the command line, one sequence for each input given.
        file: a path, or `-` for standard input.
        evaluate: a path of labelled examples, or `-`.
        jsonl: the file holds JSON lines, not plain text.
        output: where results go instead of standard output.
        json: JSON lines instead of what is made for readers.
    """

    connection: Connection
    policy: Policy
    window: Window
    columns: tuple[tuple[str, ...], ...]
    file: str | None
    evaluate: str | None
    jsonl: bool
    output: Path | None
    json: bool

    @property
    def path(self) -> str | None:
        """The file to read, whatever for."""
        return self.file or self.evaluate


def add_common_options(parser: argparse.ArgumentParser, usage: Usage) -> None:
    """Add the description, and every option that the clients share."""
    parser.description = usage.description
    _add_source_options(parser, usage)
    result = parser.add_argument_group("results")
    result.add_argument(
        "--output", type=Path, metavar="FILE", help=f"write the results here: {usage.output}"
    )
    result.add_argument(
        "--json", action="store_true", help="print JSON lines instead of an aligned table"
    )
    server = parser.add_argument_group("server")
    server.add_argument(
        "--url", default="localhost:8001", help="host:port of Triton's gRPC (default: %(default)s)"
    )
    server.add_argument(
        "--model", default=usage.default_model, help="name of the ensemble (default: %(default)s)"
    )
    server.add_argument("--tls", action="store_true", help="encrypt the connection")
    server.add_argument(
        "--ca-file",
        type=Path,
        metavar="PEM",
        help="authority of the server's certificate (default: the system's); implies --tls",
    )
    _add_call_options(parser)


def options_from_namespace(found: argparse.Namespace, fields: Sequence[TextField]) -> Options:
    """Read the options that the clients share.

    Raises:
        UsageError: they contradict each other.
    """
    columns = _columns(found, fields)
    if found.format and not found.file:
        raise UsageError("--format is for --file")
    if sum(map(bool, (columns, found.file, found.evaluate))) != 1:
        raise UsageError(f"give one of {_option(fields[0])}, --file and --evaluate")
    endpoint = Endpoint(url=found.url, model=found.model)
    return Options(
        connection=Connection(endpoint=endpoint, tls=found.tls, ca_file=found.ca_file),
        policy=Policy(timeout_s=found.timeout, retries=found.retries),
        window=Window(batch_size=found.batch_size, concurrency=found.concurrency),
        columns=columns,
        file=found.file,
        evaluate=found.evaluate,
        jsonl=found.evaluate is not None or _is_jsonl(found.file, found.format),
        output=found.output,
        json=found.json,
    )


def _columns(found: argparse.Namespace, fields: Sequence[TextField]) -> tuple[tuple[str, ...], ...]:
    """The texts of the command line, as many of each; none where it has no texts."""
    given = {field: tuple(getattr(found, field.input) or ()) for field in fields}
    if not any(given.values()):
        return ()
    for field in fields:
        if not given[field] and not field.is_optional:
            raise UsageError(f"{_option(field)} is missing")
    rows = len(given[fields[0]])
    columns = {
        field: column * rows if field.is_long and len(column) == 1 else column
        for field, column in given.items()
        if column
    }
    if len({len(column) for column in columns.values()}) > 1:
        counts = ", ".join(f"{len(column)} {_option(field)}" for field, column in given.items())
        raise UsageError(f"{counts}; give as many of each")
    return tuple(columns.values())


def positive_int(text: str) -> int:
    """An argument that counts something, from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _natural_int(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def _option(field: TextField) -> str:
    return "--" + field.input.replace("_", "-")


def _is_jsonl(file: str | None, file_format: str | None) -> bool:
    if file_format is not None:
        return file_format == "jsonl"
    return file is not None and Path(file).suffix in (".jsonl", ".json")


def _add_source_options(parser: argparse.ArgumentParser, usage: Usage) -> None:
    source = parser.add_argument_group("texts")
    for field in usage.fields:
        _add_text_options(source, field)
    keys = ", ".join("/".join(field.keys) for field in usage.fields)
    source.add_argument(
        "--file",
        metavar="FILE",
        help="a text a line, a TAB between the texts where a line has several; or JSON lines "
        f"with the keys {keys}; {STDIN} for standard input",
    )
    source.add_argument(
        "--format", choices=("txt", "jsonl"), help="of the file (default: by its name, else txt)"
    )
    source.add_argument("--evaluate", metavar="FILE", help=f"print the scores on {usage.examples}")


def _add_text_options(source: argparse._ArgumentGroup, field: TextField) -> None:
    shared = "; one serves all" if field.is_long else ""
    source.add_argument(
        _option(field), action="append", metavar="TEXT", help=f"{field.help}; repeatable{shared}"
    )
    if field.is_long:
        source.add_argument(
            f"{_option(field)}-file",
            dest=field.input,
            action="append",
            type=text_from_file,
            metavar="FILE",
            help="the same, the whole of a UTF-8 file",
        )


def _add_call_options(parser: argparse.ArgumentParser) -> None:
    call = parser.add_argument_group("calls")
    call.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="for each request, its retries included (default: %(default)s)",
    )
    call.add_argument(
        "--retries",
        type=_natural_int,
        default=DEFAULT_RETRIES,
        metavar="N",
        help="when the server is away; 0: nor when its queue is full (default: %(default)s)",
    )
    call.add_argument(
        "--batch-size",
        type=positive_int,
        default=DEFAULT_BATCH_SIZE,
        metavar="ROWS",
        help="of a request, at most the model's own maximum (default: %(default)s)",
    )
    call.add_argument(
        "--concurrency",
        type=positive_int,
        default=DEFAULT_CONCURRENCY,
        metavar="N",
        help="requests in flight (default: %(default)s)",
    )
