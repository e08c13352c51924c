"""`compare`: compare two models measured in turn, or two finished runs."""

import argparse
import sys
from pathlib import Path

from ernie_triton.perf.commands import write_progress


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Measure two models of a running server in turn (A B A B), and print the ratios of B to A, "
        "the median of the rounds with their range. Given two JSON files of `run`, print their "
        "ratios; those have no spread."
    )
    parser.add_argument("first", metavar="A", help="a model, or a JSON file of `run`")
    parser.add_argument(
        "second", metavar="B", help="a model, or a JSON file of `run`; ratios are B to A"
    )
    parser.add_argument(
        "--url", default="localhost:8001", help="host:port of gRPC (default %(default)s)"
    )
    load = parser.add_mutually_exclusive_group()
    load.add_argument("--concurrency", type=int, help="requests always under way (default 32)")
    load.add_argument("--request-rate", type=float, help="requests a second, Poisson arrivals")
    parser.add_argument(
        "--batch-size", type=int, default=1, help="rows of a request (default %(default)s)"
    )
    parser.add_argument(
        "--file",
        type=Path,
        help="texts, one a line, a TAB between the texts of a row (default: title-like texts)",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="turns of each model (default %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="duration of a figure (default %(default)s)"
    )
    parser.add_argument("--output", type=Path, help="also write JSON to this file (models only)")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    names = (arguments.first, arguments.second)
    files = [name.endswith(".json") for name in names]
    if any(files) and not all(files):
        print("error: compare takes two models or two JSON files, not one of each", file=sys.stderr)
        return 2
    if all(files):
        print(_compared_files(*map(Path, names)))
    else:
        print(_compared_models(arguments))
    return 0


def _compared_files(first: Path, second: Path) -> str:
    from ernie_triton.perf.reporting.finished_runs import files_table
    from ernie_triton.perf.results import read_run

    return files_table(read_run(first), read_run(second))


def _compared_models(arguments: argparse.Namespace) -> str:
    from ernie_triton.perf.analyzer.comparison import compare_in_turn
    from ernie_triton.perf.analyzer.load_test import LoadTest, inputs_of
    from ernie_triton.perf.analyzer.texts import TITLES, rows_of_file, rows_of_kind
    from ernie_triton.perf.results import CONCURRENCY, REQUEST_RATE, RequestLoad

    tests = []
    for model in (arguments.first, arguments.second):
        inputs = inputs_of(arguments.url, model)
        rows = (
            rows_of_file(arguments.file, inputs) if arguments.file else rows_of_kind(TITLES, inputs)
        )
        tests.append(
            LoadTest(
                url=arguments.url, model=model, inputs=inputs, rows=rows, seconds=arguments.seconds
            )
        )
    load = RequestLoad(
        mode=REQUEST_RATE if arguments.request_rate else CONCURRENCY,
        level=arguments.request_rate or float(arguments.concurrency or 32),
        batch_size=arguments.batch_size,
    )
    compared = compare_in_turn((tests[0], tests[1]), load, arguments.rounds, write_progress)
    if arguments.output:
        arguments.output.write_text(compared.to_json(), encoding="utf-8")
    return compared.table()
