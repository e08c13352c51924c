"""Progress of a build on stderr: one line a step, with the seconds it took."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from tqdm import tqdm

_T = TypeVar("_T")

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
    """The items one by one, with a bar after two seconds where standard error is a terminal."""
    shown = sys.stderr.isatty()
    yield from tqdm(items, desc=name, delay=2, disable=not shown, leave=False, file=sys.stderr)
