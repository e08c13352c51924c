"""`analyze`: run perf_analyzer with the texts of a file."""

import argparse
from pathlib import Path

from ernie_triton.perf.analyzer.load_test import inputs_of
from ernie_triton.perf.analyzer.program import AnalyzerRun, run_analyzer
from ernie_triton.perf.analyzer.texts import input_columns, rows_of_file

_FACTS_TIMEOUT_S = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Run perf_analyzer against a running server, with the texts of a file in turn, one request "
        "a line. Options after -- go to perf_analyzer as they are, for example: "
        "-- --concurrency-range 1:8 --measurement-interval 3000"
    )
    parser.add_argument(
        "--url", default="localhost:8001", help="host:port of gRPC (default %(default)s)"
    )
    parser.add_argument(
        "--model", default="ernie_seqcls", help="name of the ensemble (default %(default)s)"
    )
    parser.add_argument(
        "--file",
        type=Path,
        required=True,
        help="texts, one a line, a TAB between the texts of a pair",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    inputs = inputs_of(arguments.url, arguments.model, _FACTS_TIMEOUT_S)
    rows = rows_of_file(arguments.file, inputs)
    return run_analyzer(
        AnalyzerRun(
            url=arguments.url,
            model=arguments.model,
            columns=input_columns(rows, inputs),
            options=arguments.rest,
        )
    )
