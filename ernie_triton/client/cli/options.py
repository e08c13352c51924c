"""The options that every client's command line has, as a typed object.

`run` reads them. A task adds its own options and names its texts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.client.cli.job import TextOption, Usage
from ernie_triton.client.cli.stream import DEFAULT_BATCH_SIZE, DEFAULT_CONCURRENCY, RequestLimits
from ernie_triton.client.core import DEFAULT_TIMEOUT_S, Policy
from ernie_triton.client.items import STDIN, text_from_file
from ernie_triton.client.request_context import RequestContext
from ernie_triton.client.security_options import add_security_options, connection_from_namespace
from ernie_triton.client.tasks.vectors import VECTOR_PRECISIONS, vector_ranges
from ernie_triton.client.transport import Connection
from ernie_triton.client.wire import Endpoint
from ernie_triton.errors import UsageError

DEFAULT_PART_ROWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a command line; exactly one of `columns`, `file` and `evaluate` is set.

    Attributes:
        connection: the server and the model.
        policy: timeout and retries.
        limits: rows of a request, and requests at once.
        columns: texts of the command line, one sequence for each input given.
        file: a path, or `-` for standard input.
        evaluate: a path of labelled examples, or `-`.
        jsonl: the file holds JSON lines, not plain text.
        parquet: the file is Parquet.
        output: where results go instead of standard output.
        part_rows: rows of each Parquet file in the folder `output`; None for one file.
        json: JSON lines instead of a table.
    """

    connection: Connection
    policy: Policy
    limits: RequestLimits
    columns: tuple[tuple[str, ...], ...]
    file: str | None
    evaluate: str | None
    jsonl: bool
    parquet: bool
    output: Path | None
    part_rows: int | None
    json: bool

    @property
    def path(self) -> str | None:
        """The file to read, if any."""
        return self.file or self.evaluate


def add_common_options(parser: argparse.ArgumentParser, usage: Usage) -> None:
    """Add the description, and every option that the clients share."""
    parser.description = usage.description
    source = _add_source_options(parser, usage)
    source.add_argument("--evaluate", metavar="FILE", help=f"print the scores on {usage.examples}")
    result = parser.add_argument_group("results")
    result.add_argument(
        "--output", type=Path, metavar="FILE", help=f"write the results here: {usage.output}"
    )
    result.add_argument(
        "--part-rows",
        type=positive_int,
        metavar="ROWS",
        help="write Parquet files of so many rows into the folder --output; run again, it goes on "
        "after the files that are there",
    )
    result.add_argument(
        "--json", action="store_true", help="print JSON lines instead of an aligned table"
    )
    add_server_options(parser, usage)


def add_part_options(parser: argparse.ArgumentParser, usage: Usage) -> None:
    """Add the options of a run over a file in parts, with the names that `Options` reads."""
    _add_file_options(parser, usage, required=True)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="folder of the results"
    )
    parser.add_argument(
        "--part-rows",
        type=positive_int,
        default=DEFAULT_PART_ROWS,
        metavar="ROWS",
        help="rows of each Parquet file of results (default: %(default)s)",
    )
    add_server_options(parser, usage)
    texts = {text.field.input: None for text in usage.texts}
    parser.set_defaults(evaluate=None, json=False, **texts)


def add_server_options(parser: argparse.ArgumentParser, usage: Usage) -> None:
    """Add the options of the server and of the calls to it."""
    server = parser.add_argument_group("server")
    server.add_argument(
        "--url",
        default="localhost:8001",
        metavar="HOST:PORT",
        help="Triton's gRPC; several with commas between them, or dns:///HOST:PORT "
        "(default: %(default)s)",
    )
    server.add_argument(
        "--model", default=usage.default_model, help="name of the ensemble (default: %(default)s)"
    )
    add_security_options(server)
    _add_call_options(parser)


def add_prompt_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of the prompts of vectors."""
    parser.add_argument(
        "--prompt-name", metavar="NAME", help="the model's prompt to put before each text"
    )


def add_precision_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of vectors as bytes or bits."""
    parser.add_argument(
        "--precision",
        choices=VECTOR_PRECISIONS,
        default=VECTOR_PRECISIONS[0],
        help="type of the vectors: bytes, or a bit for each feature (default: %(default)s)",
    )
    parser.add_argument(
        "--ranges",
        type=_ranges,
        metavar="FILE",
        help="a .npy file of vectors of typical texts: their least and largest values are the "
        "ranges of int8 and uint8",
    )


def has_vector_options(found: argparse.Namespace) -> bool:
    """Return whether one of the options of vectors is given.

    Raises:
        UsageError: bytes are wanted without their ranges.
    """
    if found.precision in ("int8", "uint8") and found.ranges is None:
        raise UsageError(f"--precision {found.precision} needs --ranges")
    asked = (found.prompt_name, found.ranges, None if found.precision == "float32" else "other")
    return any(option is not None for option in asked)


def options_from_namespace(found: argparse.Namespace, texts: Sequence[TextOption]) -> Options:
    """Read the options that the clients share.

    Raises:
        UsageError: they contradict each other.
    """
    columns = _columns(found, texts)
    if found.format and not found.file:
        raise UsageError("--format is for --file")
    if found.part_rows is not None and not (found.file and found.output):
        raise UsageError("--part-rows is for --file and --output, which is a folder then")
    if sum(map(bool, (columns, found.file, found.evaluate))) != 1:
        raise UsageError(f"give one of {texts[0].option}, --file and --evaluate")
    endpoint = Endpoint(url=found.url, model=found.model)
    return Options(
        connection=connection_from_namespace(found, endpoint),
        policy=Policy(timeout_s=found.timeout, retries=found.retries),
        limits=RequestLimits(batch_size=found.batch_size, concurrency=found.concurrency),
        columns=columns,
        file=found.file,
        evaluate=found.evaluate,
        jsonl=found.evaluate is not None or _is_jsonl(found.file, found.format),
        parquet=_is_parquet(found.file, found.format),
        output=found.output,
        part_rows=found.part_rows,
        json=found.json,
    )


def _columns(found: argparse.Namespace, texts: Sequence[TextOption]) -> tuple[tuple[str, ...], ...]:
    """The texts of the command line, as many of each; empty if it has no texts."""
    given = {text: tuple(getattr(found, text.field.input) or ()) for text in texts}
    if not any(given.values()):
        return ()
    for text in texts:
        if not given[text] and not text.is_optional:
            raise UsageError(f"{text.option} is missing")
    rows = len(given[texts[0]])
    if texts[-1].field.is_list:
        if rows > 1:
            raise UsageError(f"found {rows} {texts[0].option}; give one, or several with --file")
        return tuple((text,) for column in given.values() for text in column)
    columns = {
        text: column * rows if text.is_long and len(column) == 1 else column
        for text, column in given.items()
        if column
    }
    if len({len(column) for column in columns.values()}) > 1:
        counts = ", ".join(f"{len(column)} {text.option}" for text, column in given.items())
        raise UsageError(f"{counts}; give as many of each")
    return tuple(columns.values())


def positive_int(text: str) -> int:
    """An argument that counts something, from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _ranges(path: str) -> Float32:
    """The ranges of the vectors in a .npy file, as an argument; of ranges they are the same."""
    try:
        return vector_ranges(np.asarray(np.load(path, allow_pickle=False), dtype=np.float32))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path} is no .npy file of numbers: {error}") from error


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


def _request_id(text: str) -> str:
    try:
        return RequestContext(request_id=text).request_id
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _traceparent(text: str) -> str:
    try:
        return RequestContext(traceparent=text).traceparent
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _is_jsonl(file: str | None, file_format: str | None) -> bool:
    if file_format is not None:
        return file_format == "jsonl"
    return file is not None and Path(file).suffix in (".jsonl", ".json")


def _is_parquet(file: str | None, file_format: str | None) -> bool:
    if file_format is not None:
        return file_format == "parquet"
    return file is not None and Path(file).suffix == ".parquet"


def _add_source_options(parser: argparse.ArgumentParser, usage: Usage) -> argparse._ArgumentGroup:
    source = parser.add_argument_group("texts")
    for text in usage.texts:
        has_list = usage.texts[-1].field.is_list
        _add_text_options(source, text, is_alone=has_list and not text.field.is_list)
    _add_file_options(source, usage)
    return source


def _add_file_options(
    source: argparse._ArgumentGroup | argparse.ArgumentParser,
    usage: Usage,
    *,
    required: bool = False,
) -> None:
    keys = ", ".join("/".join(field.keys) for field in usage.fields)
    source.add_argument(
        "--file",
        required=required,
        metavar="FILE",
        help="one text a line (a TAB between the texts of a pair), or JSON lines with the keys "
        f"{keys}; {STDIN} for standard input",
    )
    source.add_argument(
        "--format",
        choices=("txt", "jsonl", "parquet"),
        help="format of --file (default: by its name, else txt)",
    )


def _add_text_options(source: argparse._ArgumentGroup, text: TextOption, *, is_alone: bool) -> None:
    shared = "; one serves all" if text.is_long else ""
    several = "" if is_alone else "; repeatable"
    source.add_argument(
        text.option,
        dest=text.field.input,
        action="append",
        metavar="TEXT",
        help=f"{text.help}{several}{shared}",
    )
    if text.is_long:
        source.add_argument(
            f"{text.option}-file",
            dest=text.field.input,
            action="append",
            type=text_from_file,
            metavar="FILE",
            help="the same text, read from a UTF-8 file",
        )


def _add_call_options(parser: argparse.ArgumentParser) -> None:
    call = parser.add_argument_group("calls")
    call.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="time for each request, retries included (default: %(default)s)",
    )
    call.add_argument(
        "--retries",
        type=_natural_int,
        metavar="N",
        help="most retries when the server or the model is away; 0 also stops retries of a full "
        "queue (default: until the timeout)",
    )
    call.add_argument(
        "--batch-size",
        type=positive_int,
        default=DEFAULT_BATCH_SIZE,
        metavar="ROWS",
        help="rows of a request, at most the model's own maximum (default: %(default)s)",
    )
    call.add_argument(
        "--concurrency",
        type=positive_int,
        default=DEFAULT_CONCURRENCY,
        metavar="N",
        help="requests in flight (default: %(default)s)",
    )
    call.add_argument(
        "--request-id",
        type=_request_id,
        default="",
        metavar="ID",
        help="name of the requests in the server's log and errors (default: a random one for each)",
    )
    call.add_argument(
        "--traceparent",
        type=_traceparent,
        default="",
        metavar="SPAN",
        help="span that the requests belong to, in the form of W3C Trace Context",
    )
