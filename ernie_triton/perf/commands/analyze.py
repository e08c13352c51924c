"""`analyze`: perf_analyzer itself, with texts of a file."""

import argparse
from pathlib import Path

from ernie_triton.client.items import items_from_txt, opened_lines
from ernie_triton.client.transport import Connection, GrpcTransport
from ernie_triton.client.wire import Endpoint
from ernie_triton.errors import DatasetError
from ernie_triton.perf.analyzer import AnalyzerRun, run_analyzer

_FACTS_TIMEOUT_S = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Run the pip install's perf_analyzer against a running server, with the texts "
        "of a file in turn, one request a line. Options after -- go to perf_analyzer as they are, "
        "for example: -- --concurrency-range 1:8 --measurement-interval 3000"
    )
    parser.add_argument(
        "--url", default="localhost:8001", help="host:port of gRPC (default %(default)s)"
    )
    parser.add_argument("--model", default="ernie_seqcls", help="(default %(default)s)")
    parser.add_argument(
        "--file",
        type=Path,
        required=True,
        help="texts, one a line, a TAB between the texts of a pair",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    return run_analyzer(
        AnalyzerRun(
            url=arguments.url,
            model=arguments.model,
            columns=_columns(arguments),
            options=arguments.rest,
        )
    )


def _columns(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """The texts of the file for each input of the model.

    Raises:
        DatasetError: the file has no lines or a line that the model cannot take.
        ClientError: the server is away or does not have the model.
    """
    endpoint = Endpoint(url=arguments.url, model=arguments.model)
    transport = GrpcTransport(Connection(endpoint=endpoint))
    try:
        inputs = transport.facts(_FACTS_TIMEOUT_S).inputs
    finally:
        transport.close()
    with opened_lines(str(arguments.file)) as lines:
        items = list(items_from_txt(lines, inputs))
    for item in items:
        if item.error:
            raise DatasetError(f"{arguments.file} line {item.line}: {item.error}")
    if not items:
        raise DatasetError(f"{arguments.file} has no lines; expected texts, one a line")
    return {name: [item.texts[place] for item in items] for place, name in enumerate(inputs)}
