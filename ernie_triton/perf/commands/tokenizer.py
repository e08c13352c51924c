"""`tokenizer`: compare our tokenizer with the `tokenizers` library."""

import argparse
import sys
from pathlib import Path

from ernie_triton.perf.commands import write_progress
from ernie_triton.tokenizer.vocabulary import load_vocabulary


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Time our tokenizer and the tokenizers library in turn on one core, from texts to the "
        "arrays that the engine takes, and check that their ids are equal. Prints a Markdown table "
        "of processor time and ratios, medians of the rounds with their range."
    )
    parser.add_argument(
        "--vocab",
        type=Path,
        help="vocab.txt of an uncased model (default: 40,000 generated entries)",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=9,
        help="turns of each tokenizer, at least 1 (default %(default)s)",
    )
    parser.add_argument(
        "--max-length", type=int, default=128, help="most tokens of a row (default %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.tokenizer.measure import figures_table, measure_tokenizers
    from ernie_triton.perf.tokenizer.texts import generated_vocabulary

    if arguments.rounds < 1 or arguments.max_length < 3:
        print("error: expected at least 1 round and 3 tokens of a row", file=sys.stderr)
        return 2
    vocabulary = load_vocabulary(arguments.vocab) if arguments.vocab else generated_vocabulary()
    figures = measure_tokenizers(
        vocabulary,
        rounds=arguments.rounds,
        max_length=arguments.max_length,
        progress=write_progress,
    )
    print(figures_table(figures))
    return 0
