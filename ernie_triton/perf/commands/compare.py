"""`compare`: two models measured in turn, or two finished runs."""

import argparse
import sys
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Measure two models of a running server in turn, A B A B, and print B's "
        "figures as ratios to A's, the median of the rounds with their range. Or, given two JSON "
        "files of `run`, print their ratios; those have no spread."
    )
    parser.add_argument("first", metavar="A", help="a model, or a JSON file of `run`")
    parser.add_argument("second", metavar="B", help="the same; ratios are B to A")
    parser.add_argument(
        "--url", default="localhost:8001", help="host:port of gRPC (default %(default)s)"
    )
    load = parser.add_mutually_exclusive_group()
    load.add_argument(
        "--concurrency", type=int, help="requests always under way (the default, with 32)"
    )
    load.add_argument("--request-rate", type=float, help="requests a second, Poisson arrivals")
    parser.add_argument("--batch-size", type=int, default=1, help="rows of a request (default 1)")
    parser.add_argument(
        "--file",
        type=Path,
        help="texts, one a line, a TAB between a row's (default: title-like)",
    )
    parser.add_argument("--rounds", type=int, default=5, help="(default %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="of each figure (default %(default)s)"
    )
    parser.add_argument("--output", type=Path, help="also write JSON (models only)")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    names = (arguments.first, arguments.second)
    files = [name.endswith(".json") for name in names]
    if any(files) and not all(files):
        print("error: compare takes two models or two JSON files, not one of each", file=sys.stderr)
        return 2
    print(_files(*map(Path, names)) if all(files) else _models(arguments))
    return 0


def _files(first: Path, second: Path) -> str:
    from ernie_triton.perf.comparison.comparison_files import files_table
    from ernie_triton.perf.results import read_run

    return files_table(read_run(first), read_run(second))


def _models(arguments: argparse.Namespace) -> str:
    from ernie_triton.perf.comparison.comparison import compare_in_turn
    from ernie_triton.perf.probe import Probe, inputs_of
    from ernie_triton.perf.results import Load
    from ernie_triton.perf.running.texts import rows_of
    from ernie_triton.perf.scenario import CONCURRENCY, REQUEST_RATE
    from ernie_triton.perf.text_spec import TextSpec
    from ernie_triton.perf.titles import TITLES, rows_of_kind

    probes = []
    for model in (arguments.first, arguments.second):
        inputs = inputs_of(arguments.url, model)
        rows = (
            rows_of(TextSpec(file=arguments.file), (), inputs)
            if arguments.file
            else rows_of_kind(TITLES, inputs)
        )
        probes.append(
            Probe(
                url=arguments.url, model=model, inputs=inputs, rows=rows, seconds=arguments.seconds
            )
        )
    load = Load(
        mode=REQUEST_RATE if arguments.request_rate else CONCURRENCY,
        level=arguments.request_rate or float(arguments.concurrency or 32),
        batch_size=arguments.batch_size,
    )
    compared = compare_in_turn(
        (probes[0], probes[1]), load, arguments.rounds, lambda line: print(line, file=sys.stderr)
    )
    if arguments.output:
        arguments.output.write_text(compared.to_json(), encoding="utf-8")
    return compared.table()
