"""A task's part of the common command line: its options, and the job of one run.

Stands between a task's command, which fills these in, and `run`, which runs them.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ernie_triton.client.cli.sink import Printer, Sink
from ernie_triton.client.core import Caller, Send
from ernie_triton.client.evaluation.tasks import EvaluationMethod
from ernie_triton.client.items import TEXT_PAIR, TextField

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOption:
    """The option of one text of a row, and its place in a JSON object.

    Attributes:
        field: the text's name and place.
        help: the option's help.
        is_optional: the command line may leave it out.
        is_long: one text serves all rows, and `--INPUT-file` reads one from a file.
    """

    field: TextField
    help: str
    is_optional: bool = False
    is_long: bool = False

    @property
    def option(self) -> str:
        """The option as typed; one text of a list by its singular."""
        name = self.field.input.removesuffix("s") if self.field.is_list else self.field.input
        return "--" + name.replace("_", "-")


SECOND_TEXT = TextOption(
    field=TEXT_PAIR, help="the second text of a pair, as often as --text", is_optional=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A task's words in the common options.

    Attributes:
        description: the first line of the help.
        default_model: the ensemble's default name.
        texts: the texts of a row; the first is required.
        examples: the content of a file for `--evaluate`.
        output: the content of a file of `--output`.
        more_fields: further places in a JSON object, of inputs that are no texts of a row.
    """

    description: str
    default_model: str
    texts: tuple[TextOption, ...]
    examples: str
    output: str = "JSON lines"
    more_fields: tuple[TextField, ...] = ()

    @property
    def fields(self) -> tuple[TextField, ...]:
        """The places of a row's texts in a JSON object."""
        return (*(text.field for text in self.texts), *self.more_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[_R]):
    """The requests of one run, and the use of their results.

    Attributes:
        texts: names of the texts of a row, in their order.
        send: answers a batch of rows.
        json_from_result: makes a JSON object of a result.
        printer: shows results to a reader.
        method: compares results with gold labels, for `--evaluate`; None if they have none.
        open_file: opens the file of `--output`; None for JSON lines.
        model_rows: rows that the model gets for one row of the run.
    """

    texts: tuple[str, ...]
    send: Send[_R]
    json_from_result: Callable[[_R], Mapping[str, object]]
    printer: Printer[_R]
    method: EvaluationMethod | None = None
    open_file: Callable[[Path], AbstractContextManager[Sink[_R]]] | None = None
    model_rows: int = 1


def _do_nothing(_: object) -> None:
    """Leave the options as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCommand:
    """A task's part of the common command line.

    Attributes:
        usage: the task's words in the common options.
        new_job: makes the job for the given options and the model that the caller reaches.
        add_options: adds the options of this task alone.
        check_options: raises UsageError if the task's options contradict others.
    """

    usage: Usage
    new_job: Callable[[argparse.Namespace, Caller], Awaitable[Job[Any]]]
    add_options: Callable[[argparse.ArgumentParser], None] = _do_nothing
    check_options: Callable[[argparse.Namespace], None] = _do_nothing
