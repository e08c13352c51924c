"""What a task adds to the common command line: its options, and the job of one run.

Stands between a task's script, which fills these in, and `command`, which runs them.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ernie_triton.client.cli.options import Usage
from ernie_triton.client.cli.sink import Printer, Sink
from ernie_triton.client.cli.stream import Send
from ernie_triton.client.core import Caller
from ernie_triton.client.items import Item

_R = TypeVar("_R")
_R_contra = TypeVar("_R_contra", contravariant=True)


class Scorer(Protocol[_R_contra]):
    """Compares results with gold labels, one example after the other."""

    def add(self, item: Item, result: _R_contra) -> None:
        """Count one example; raises `DatasetError` where its gold label is of no use."""

    def lines(self) -> list[str]:
        """The report for a reader."""

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[_R]):
    """What one run asks of the model, and what becomes of the results.

    Attributes:
        texts: names of the texts of a row, in their order.
        send: answers a batch of rows.
        json_from_result: a result as a JSON object.
        printer: shows results to a reader.
        scorer: compares results with gold labels, for `--evaluate`; None where a run has no use
            for one.
        examples: reads the file of `--evaluate`; None where it is JSON lines with the texts' keys.
        open_file: opens the file of `--output`; None for JSON lines.
        model_rows: rows that the model gets for one of these.
    """

    texts: tuple[str, ...]
    send: Send[_R]
    json_from_result: Callable[[_R], Mapping[str, object]]
    printer: Printer[_R]
    scorer: Scorer[_R] | None = None
    examples: Callable[[Iterable[bytes]], Iterable[Item]] | None = None
    open_file: Callable[[Path], AbstractContextManager[Sink[_R]]] | None = None
    model_rows: int = 1


def check_nothing(_found: argparse.Namespace) -> None:
    """The check of a task whose own options cannot contradict any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCommand:
    """What a task adds to the common command line.

    Attributes:
        usage: what the common options say about the task.
        add_options: adds the options of this task alone.
        new_job: the job for all options and the model at hand; its result type follows from them.
        check_options: raises UsageError where the task's options contradict others.
    """

    usage: Usage
    add_options: Callable[[argparse.ArgumentParser], None]
    new_job: Callable[[argparse.Namespace, Caller], Awaitable[Job[Any]]]
    check_options: Callable[[argparse.Namespace], None] = check_nothing
