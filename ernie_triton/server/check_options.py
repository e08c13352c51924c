"""Options of the commands that check a repository's engines: `check-plans`, `check-processor`."""

import argparse
from pathlib import Path


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """Add the options: the repository, and the pipelines to check."""
    parser.add_argument("--repository", type=Path, required=True, help="the model repository")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="check this pipeline alone (repeatable; default: every one)",
    )
