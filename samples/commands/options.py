"""Options that several commands take."""

import argparse


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add `--seed`, 0 where it is not given."""
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
