"""Progress of a file on stderr: a bar on a terminal, a line a minute in a log."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, Protocol

from tqdm import tqdm

_LINE_EVERY_S = 60.0


class FileProgress(Protocol):
    """Shows how many rows of a file are done."""

    def update(self, rows: int) -> object:
        """Count so many more."""

    def note(self, text: str) -> None:
        """Print a line beside the progress."""


class _Bar:
    def __init__(self, bar: "tqdm[NoReturn]") -> None:
        self._bar = bar

    def update(self, rows: int) -> None:
        self._bar.update(rows)

    def note(self, text: str) -> None:
        self._bar.write(text, file=sys.stderr)


class _Lines:
    def __init__(self, total: int | None, unit: str, *, shown: bool) -> None:
        self._total, self._unit, self._done = total, unit, 0
        self._start = time.monotonic()
        self._due = self._start + _LINE_EVERY_S if shown else math.inf

    def update(self, rows: int) -> None:
        self._done += rows
        now = time.monotonic()
        if now < self._due or not self._done:
            return
        self._due = now + _LINE_EVERY_S
        rate = self._done / (now - self._start)
        line = f"{self._done:,} {self._unit}s, {rate:,.0f} {self._unit}s/s"
        if self._total:
            left = tqdm.format_interval((self._total - self._done) / rate)
            line = line.replace(" ", f" of {self._total:,} ", 1) + f", {left} left"
        self.note(line)

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def file_progress(total: int | None, unit: str, *, shown: bool = True) -> Iterator[FileProgress]:
    """Show progress as long as the context lasts.

    Args:
        total: rows, where they were counted.
        unit: what a row is called.
        shown: False for notes alone.
    """
    if sys.stderr.isatty():
        with tqdm(total=total, unit=unit, delay=1, disable=not shown, file=sys.stderr) as bar:
            yield _Bar(bar)
    else:
        yield _Lines(total, unit, shown=shown)
