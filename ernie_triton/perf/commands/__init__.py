"""The commands of `ernie-triton perf`, one module each, and what they share."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ernie_triton.errors import DatasetError

CACHE = Path("build/perf")
"""Default folder of results and of built models."""


def write_progress(line: str) -> None:
    """Print a line of progress on stderr."""
    print(line, file=sys.stderr, flush=True)


def add_our_build(parser: argparse.ArgumentParser, engine: str) -> None:
    """Add the options of our own build in a comparison with others, with its default engine."""
    parser.add_argument("--engine", default=engine, help="of ours (default: %(default)s)")
    parser.add_argument("--precision", default="fp32", help="of ours (default: %(default)s)")


def our_build(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The options of `build` that these arguments mean."""
    return ("--engine", arguments.engine, "--precision", arguments.precision)


def check_output(path: Path) -> None:
    """Refuse a file that cannot be written, before anything is measured; make its folder.

    Raises:
        DatasetError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{path.parent} cannot be made: {error.strerror}") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise DatasetError(f"{path} cannot be written; name a file in a folder that can be")


def add_plot_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for a picture of the results."""
    parser.add_argument(
        "--plot", type=Path, metavar="PICTURE.png", help="also draw the results into this file"
    )


def check_plot(path: Path) -> None:
    """Refuse a picture that cannot be drawn, before anything is measured.

    Raises:
        DatasetError: the file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    # Imported here because --help needs no style of plots.
    from ernie_triton.perf.reporting.style import figure

    check_output(path)
    with figure():
        pass


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM stop a run as Ctrl-C does, so that all its processes end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
