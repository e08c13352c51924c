"""`extraction`: compare information extraction with PaddleNLP's Taskflow."""

import argparse
from pathlib import Path

from ernie_triton.perf.commands import add_our_build, our_build, write_progress


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Serve a UIE checkpoint, and ask it and PaddleNLP's Taskflow for the same names in the "
        "same texts, in turn. Prints a table of times and ratios."
    )
    parser.add_argument("checkpoint", type=Path, help="a UIE checkpoint of PaddleNLP")
    parser.add_argument(
        "--python",
        required=True,
        metavar="PYTHON",
        help="Python of an environment with paddlenlp and paddlepaddle",
    )
    parser.add_argument(
        "--names", type=int, default=31, help="of the schema (default: %(default)s)"
    )
    parser.add_argument("--texts", type=int, default=80, help="default: %(default)s")
    parser.add_argument(
        "--characters", type=int, default=100, help="of a text (default: %(default)s)"
    )
    parser.add_argument(
        "--lengths",
        type=int,
        nargs="+",
        default=[512, 128],
        metavar="TOKENS",
        help="lengths to which Taskflow pads its rows, each measured (default: 512 128)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    add_our_build(parser, engine="auto")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.others.extraction import ExtractionLoad, compare_extraction

    load = ExtractionLoad(
        names=arguments.names,
        texts=arguments.texts,
        characters=arguments.characters,
        rounds=arguments.rounds,
        lengths=tuple(arguments.lengths),
    )
    options = our_build(arguments)
    found = compare_extraction(
        arguments.checkpoint, arguments.python, load, options, write_progress
    )
    print("\n".join(found))
    return 0
