"""`compression`: one table of several runs of `compress`."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Print one Markdown table of several runs of compress on the same data, whose teachers "
        "had other seeds: the median of each figure over the runs, with its range."
    )
    parser.add_argument(
        "reports", nargs="+", type=Path, metavar="REPORT", help="a report.json of compress"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from ernie_triton.perf.compression_report.several import (
        read_compression_report,
        several_markdown,
    )

    print(several_markdown([read_compression_report(path) for path in arguments.reports]), end="")
    return 0
