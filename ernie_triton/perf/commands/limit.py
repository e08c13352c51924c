"""`limit`: measure the matrix-multiply peak, and state results as fractions of it."""

import argparse
import os
from pathlib import Path

from ernie_triton.model_shapes import FAMILY
from ernie_triton.perf.commands import write_progress

_PRECISIONS = ("fp32", "bf16", "int8")
_TEXTS = 1000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Measure how fast OpenVINO multiplies matrices of a model's shapes on this machine, and "
        "state results of `run` as fractions of it: operations of a text, times texts per second, "
        "over the peak. Prints Markdown tables."
    )
    parser.add_argument(
        "--shape",
        action="append",
        choices=list(FAMILY),
        help="a model of the family (repeatable; default medium and nano)",
    )
    parser.add_argument(
        "--precision",
        action="append",
        choices=_PRECISIONS,
        help="precision of the products (repeatable; default: all that the processor has)",
    )
    parser.add_argument(
        "--tokens", type=int, default=768, help="tokens in a batch (default %(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="0 for every core (default %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="turns of each product (default %(default)s)"
    )
    parser.add_argument("--result", type=Path, help="a JSON file of `run`, of this machine")
    parser.add_argument(
        "--text-tokens",
        type=int,
        default=0,
        help="tokens of each of the result's texts (default: title-like, mean 24)",
    )
    parser.add_argument(
        "--labels", type=int, default=15, help="labels of the result's models (default %(default)s)"
    )
    parser.add_argument("--output", type=Path, help="also write all as JSON to this file")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.engines.token_batches import title_lengths
    from ernie_triton.perf.limits.fractions import (
        PeakOptions,
        fractions_of,
        fractions_table,
        limit_json,
        measure_peaks,
        peaks_table,
    )
    from ernie_triton.perf.machine import available_precisions, cpu_precisions
    from ernie_triton.perf.results import read_run

    run = read_run(arguments.result) if arguments.result else None
    options = PeakOptions(
        tokens=arguments.tokens,
        threads=arguments.threads or len(os.sched_getaffinity(0)),
        rounds=arguments.rounds,
    )
    shapes = {name: FAMILY[name] for name in arguments.shape or ("medium", "nano")}
    precisions = arguments.precision or available_precisions(
        _PRECISIONS, cpu_precisions(), write_progress
    )
    peaks = measure_peaks(shapes, precisions, options, write_progress)
    print(peaks_table(peaks))
    fractions = []
    if run is not None:
        fixed = arguments.text_tokens
        lengths = [fixed] if fixed else title_lengths(_TEXTS, seed=0)
        fractions = fractions_of(run, peaks, lengths, labels=arguments.labels)
        print("\n" + fractions_table(fractions))
    if arguments.output:
        facts = {"tokens": options.tokens, "threads": options.threads, "rounds": options.rounds}
        arguments.output.write_text(limit_json(peaks, fractions, facts), encoding="utf-8")
    return 0
