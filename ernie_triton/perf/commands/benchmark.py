"""`benchmark`: time the engines against the graph as exported."""

import argparse

from ernie_triton.model_shapes import FAMILY
from ernie_triton.perf.commands import write_progress


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Time the CPU engines on models of the ERNIE 3.0 family with random weights, against the "
        "graph that torch exports, padded to the longest, in ONNX Runtime FP32. BF16 is left out "
        "where the processor has none. Prints Markdown tables."
    )
    parser.add_argument(
        "--shape",
        action="append",
        choices=sorted(FAMILY),
        help="a model of the family (repeatable; default medium and nano)",
    )
    parser.add_argument(
        "--batch", type=int, default=32, help="texts in a batch (default %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="turns of every engine (default %(default)s)"
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=0,
        help="threads of an engine, 0 for every core (default %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    # Needs the extra `train`; the other commands do not.
    from ernie_triton.perf.engines.benchmark import SUBJECTS, benchmark_shape, benchmark_table
    from ernie_triton.perf.machine import available_precisions, cpu_precisions

    wanted = dict.fromkeys(subject.precision for subject in SUBJECTS)
    precisions = available_precisions(list(wanted), cpu_precisions(), write_progress)
    for name in arguments.shape or ("medium", "nano"):
        results = benchmark_shape(
            name,
            rows=arguments.batch,
            rounds=arguments.rounds,
            threads=arguments.threads,
            precisions=precisions,
        )
        print(
            benchmark_table(name, results, rows=arguments.batch, threads=arguments.threads),
            end="\n\n",
        )
    return 0
