"""What every client's command line does: lines in, requests in flight, lines or scores out.

Joins `source`, `stream` and `sink` around one `core.Caller`; a task brings a `TaskCommand`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Generic, NoReturn, Protocol, TextIO, TypeVar

from tqdm import tqdm

from clients.core import Caller, Codec, Row
from clients.options import Options, common_parser, options_from_namespace
from clients.sink import JsonPrinter, Printer, TablePrinter, opened_output, partial_path
from clients.source import (
    Item,
    TextField,
    count_lines,
    items_from_jsonl,
    items_from_texts,
    items_from_txt,
    opened_lines,
)
from clients.stream import Outcome, stream_outcomes
from clients.transport import GrpcAsyncTransport
from clients.wire import AsyncTransport
from ernie_triton.errors import ClientError, ErnieTritonError
from ernie_triton.tasks import Task

R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)


class Scorer(Protocol[R_contra]):
    """Compares results with gold labels, one line after the other."""

    def add(self, item: Item, result: R_contra) -> None:
        """Count one line; raises `DatasetError` where its gold label is of no use."""

    def lines(self) -> list[str]:
        """The report for a reader."""

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCommand(Generic[R]):
    """What a task adds to the common command line.

    Attributes:
        description: the first line of its help.
        task: the task that it calls.
        fields: where each input of the task comes from.
        add_options: adds the options of this task alone.
        codec_from_options: what to ask of the server, from all options.
        columns: names of the table's cells.
        cells_from_result: rows of cells for a result, at least one.
        json_from_result: a result as a JSON object.
        new_scorer: a scorer for the labels of the model.
    """

    description: str
    task: Task
    fields: tuple[TextField, ...]
    add_options: Callable[[argparse.ArgumentParser], None]
    codec_from_options: Callable[[argparse.Namespace], Codec[R]]
    columns: tuple[str, ...]
    cells_from_result: Callable[[R], Sequence[Sequence[str]]]
    json_from_result: Callable[[R], Mapping[str, object]]
    new_scorer: Callable[[Caller], Awaitable[Scorer[R]]]


def run_command(command: TaskCommand[R], argv: Sequence[str] | None) -> int:
    """Do what the arguments say; 0 done, 1 a line failed or the user can mend it.

    Raises:
        SystemExit: 2, wrong usage.
    """
    parser = common_parser(command.description, command.task.default_model, command.fields)
    command.add_options(parser)
    found = parser.parse_args(argv)
    options = options_from_namespace(parser, found, command.fields)
    codec = command.codec_from_options(found)
    try:
        transport = GrpcAsyncTransport(options.connection)
        return asyncio.run(execute(command, options, codec, transport))
    except ErnieTritonError as error:
        print(f"error: {error}", file=sys.stderr)
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    return 1


async def execute(
    command: TaskCommand[R], options: Options, codec: Codec[R], transport: AsyncTransport
) -> int:
    """Run a command over a transport; 0, or 1 when a line failed or the run had to stop."""
    caller = Caller(transport, options.connection.endpoint, options.policy)
    run = _Run(command, options, codec, caller)
    try:
        return await run.execute()
    except ErnieTritonError as error:
        # Printed here, not raised: a pipe that is being read keeps the event loop from ending for
        # as long as it stays open.
        print(f"error: {error}", file=sys.stderr)
        if run.printed and options.output is not None:
            partial = partial_path(options.output)
            print(f"the {run.printed} lines before that are in {partial}", file=sys.stderr)
        return 1
    finally:
        await caller.close()


class _Run(Generic[R]):
    """One run of a command: its steps, and how far it is."""

    def __init__(
        self, command: TaskCommand[R], options: Options, codec: Codec[R], caller: Caller
    ) -> None:
        self._command = command
        self._options = options
        self._codec = codec
        self._caller = caller
        self.printed = 0
        self._done = 0
        self._failed = 0

    async def execute(self) -> int:
        """Every line to its result, and the scores if they are asked for; the exit code."""
        started = time.monotonic()
        inputs = await self._caller.input_names(self._command.task)
        scorer = None
        if self._options.evaluate is not None:
            scorer = await self._command.new_scorer(self._caller)
        with self._items(inputs) as items, opened_output(self._options.output) as output:
            await self._stream(items, self._printer(inputs), output, scorer)
        if scorer is not None:
            as_json = json.dumps(scorer.as_json(), ensure_ascii=False)
            print(as_json if self._options.json else "\n".join(scorer.lines()))
        elif self._options.output is not None:
            print(self._options.output)
        self._summarise(time.monotonic() - started)
        return 1 if self._failed else 0

    async def _stream(
        self,
        items: Iterator[Item],
        printer: Printer[R] | None,
        output: TextIO,
        scorer: Scorer[R] | None,
    ) -> None:
        async def send(rows: Sequence[Row]) -> Sequence[R | ClientError]:
            return await self._caller.outcomes(rows, self._codec)

        largest = (await self._caller.facts()).max_batch_size
        window = self._options.window
        window = replace(window, batch_size=min(window.batch_size, largest))
        blocks = stream_outcomes(items, send, window)
        with self._progress() as progress:
            async with aclosing(blocks):
                async for outcomes in blocks:
                    self._report_failures(outcomes, progress)
                    if printer is not None:
                        output.writelines(f"{line}\n" for line in printer.lines(outcomes))
                        self.printed += len(outcomes)
                    for outcome in outcomes:
                        if scorer is not None and outcome.result is not None:
                            scorer.add(outcome.item, outcome.result)
                    progress.update(len(outcomes))

    @contextmanager
    def _items(self, inputs: tuple[str, ...]) -> Iterator[Iterator[Item]]:
        """The lines of the command line or of the file, as the model takes them."""
        path = self._options.path
        if path is None:
            yield items_from_texts(self._options.columns)
            return
        with opened_lines(path) as lines:
            if self._options.jsonl:
                yield items_from_jsonl(lines, inputs, self._command.fields)
            else:
                yield items_from_txt(lines, inputs)

    def _printer(self, inputs: tuple[str, ...]) -> Printer[R] | None:
        """What makes lines of results; none where only the scores are asked for."""
        if self._options.json or self._options.output is not None:
            if self._options.evaluate is not None and self._options.output is None:
                return None
            return JsonPrinter(self._command.json_from_result)
        if self._options.evaluate is not None:
            return None
        return TablePrinter(self._command.columns, inputs, self._command.cells_from_result)

    def _progress(self) -> tqdm[NoReturn]:
        """A bar for files, where standard error is a terminal that shows no results."""
        path = self._options.path
        results_there = self._options.output is None and sys.stdout.isatty()
        shown = path is not None and sys.stderr.isatty() and not results_there
        total = count_lines(path) if shown and path is not None else None
        return tqdm(total=total, unit="line", delay=1, disable=not shown, file=sys.stderr)

    def _report_failures(self, outcomes: Sequence[Outcome[R]], progress: tqdm[NoReturn]) -> None:
        self._done += len(outcomes)
        for outcome in outcomes:
            if outcome.result is None:
                self._failed += 1
                progress.write(f"line {outcome.item.line}: {outcome.error}", file=sys.stderr)

    def _summarise(self, elapsed_s: float) -> None:
        if self._options.path is None and not self._failed:
            return
        lines = "1 line" if self._done == 1 else f"{self._done} lines"
        rate = f"{self._done / max(elapsed_s, 1e-9):.0f} lines/s"
        failures = f"{self._failed} failed" if self._failed else "none failed"
        print(f"{lines} in {elapsed_s:.1f} s ({rate}), {failures}", file=sys.stderr)
