"""Progress of a build on stderr: one line a step, with the seconds it took."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from tqdm import tqdm

_T = TypeVar("_T")

LINE_EVERY_S = 60.0
"""Seconds between lines of progress where standard error is no terminal."""

StepReporter = Callable[[str], AbstractContextManager[list[str]]]
"""`with step("name") as notes:` times a step; notes appended are printed with it."""


@contextmanager
def timed_step(name: str) -> Iterator[list[str]]:
    """Time a step and print it when it is done; notes appended to the list are printed with it."""
    notes: list[str] = []
    start = time.perf_counter()
    yield notes
    elapsed_s = time.perf_counter() - start
    print(f"{elapsed_s:6.2f} s  {name:<11}{'; '.join(notes)}", file=sys.stderr, flush=True)


def progress_bar(items: Sequence[_T], name: str) -> Iterator[_T]:
    """The items one by one: with a bar on a terminal after two seconds, else a line a minute."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=name, delay=2, leave=False, file=sys.stderr)
        return
    began_s = said_s = time.perf_counter()
    for done, item in enumerate(items):
        now_s = time.perf_counter()
        if now_s - said_s >= LINE_EVERY_S:
            said_s = now_s
            left_s = (now_s - began_s) / max(done, 1) * (len(items) - done)
            line = f"{name}: {done} of {len(items)}, {left_s / 60:.0f} min left"
            print(line, file=sys.stderr, flush=True)
        yield item
