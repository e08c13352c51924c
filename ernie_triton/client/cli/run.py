"""Run a client's command line: read lines, keep requests in flight, write results or scores.

Joins `items`, `stream` and `sink` around one `core.Caller`; a task brings a `TaskCommand`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ernie_triton.client.cli.job import Job, TaskCommand
from ernie_triton.client.cli.options import Options, add_common_options, options_from_namespace
from ernie_triton.client.cli.parts import (
    PartSink,
    file_facts,
    opened_parquet,
    opened_part_folder,
    parquet_rows,
)
from ernie_triton.client.cli.sink import JsonPrinter, Sink, opened_text_sink, partial_path
from ernie_triton.client.cli.stream import Outcome, RequestLimits, stream_outcomes
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import Scorer
from ernie_triton.client.items import (
    Item,
    TextField,
    count_lines,
    items_from_jsonl,
    items_from_texts,
    items_from_txt,
    opened_lines,
)
from ernie_triton.client.request_context import request_context
from ernie_triton.client.transport import GrpcAsyncTransport
from ernie_triton.client.wire import AsyncTransport
from ernie_triton.errors import ErnieTritonError, UsageError

if TYPE_CHECKING:
    from ernie_triton.client.cli.progress import FileProgress

_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class TaskRun:
    """The `run` of a task's module, which others find the task's command by."""

    command: TaskCommand

    def __call__(self, found: argparse.Namespace) -> int:
        """Run the command with its arguments; see `_run_task`."""
        return _run_task(self.command, found)


def command_functions(
    command: TaskCommand,
) -> tuple[Callable[[argparse.ArgumentParser], None], TaskRun]:
    """The `add_options` and `run` of a task's module."""
    return partial(_add_options, command), TaskRun(command)


def task_command(task: str) -> TaskCommand:
    """The command of a task, by its name."""
    run: TaskRun = import_module(f"ernie_triton.client.cli.{task}").run
    return run.command


def _add_options(command: TaskCommand, parser: argparse.ArgumentParser) -> None:
    """Add the options that the clients share, and the task's own."""
    add_common_options(parser, command.usage)
    command.add_options(parser)


def _run_task(command: TaskCommand, found: argparse.Namespace) -> int:
    """Run a command with its arguments; 0 done, 1 a line failed or the user can mend it.

    Raises:
        UsageError: options contradict each other.
        ErnieTritonError: the server cannot be reached with these options.
    """
    options = options_from_namespace(found, command.usage.texts)
    command.check_options(found)
    try:
        transport = GrpcAsyncTransport(options.connection)
        with request_context(request_id=found.request_id, traceparent=found.traceparent):
            return asyncio.run(execute(command, found, options, transport))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    return 1


async def execute(
    command: TaskCommand, found: argparse.Namespace, options: Options, transport: AsyncTransport
) -> int:
    """Run a command over a transport; 0, or 1 when a line failed or the run had to stop."""
    caller = Caller(transport, options.connection.endpoint, options.policy)
    tally = _Tally()
    try:
        job = await command.new_job(found, caller)
        scorer = await _new_scorer(job, caller) if options.evaluate is not None else None
        largest = (await caller.facts()).max_batch_size
        run = _Run(job, scorer, command.usage.fields, options, tally, task_options(command, found))
        return await run.execute(largest)
    except ErnieTritonError as error:
        # Printed here, not raised: a pipe that is being read keeps the event loop from ending for
        # as long as it stays open.
        print(f"error: {error}", file=sys.stderr)
        if tally.done and options.part_rows is not None:
            print(f"run it again to go on with {options.output}", file=sys.stderr)
        elif tally.done and options.output is not None:
            written = partial_path(options.output)
            print(f"the {tally.done} lines before that are in {written}", file=sys.stderr)
        return 1
    finally:
        await caller.close()


def task_options(command: TaskCommand, found: argparse.Namespace) -> dict[str, str]:
    """The task's own options as they were given."""
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    return {name: str(getattr(found, name)) for name in vars(parser.parse_args([]))}


def part_facts(
    job: Job[Any], options: Options, own_options: Mapping[str, str]
) -> dict[str, object]:
    """Facts that decide the results of a run in parts.

    Raises:
        DatasetError: its texts are in no regular file.
    """
    return {
        "model": options.connection.endpoint.model,
        "part_rows": options.part_rows,
        "inputs": list(job.texts),
        "options": dict(own_options),
        **file_facts(str(options.path)),
    }


def fitting_limits(limits: RequestLimits, largest_batch: int, job: Job[Any]) -> RequestLimits:
    """The limits with no more rows for a request than the model takes."""
    rows = min(limits.batch_size, largest_batch) // job.model_rows
    return replace(limits, batch_size=max(rows, 1))


def items_of_lines(
    lines: Iterable[bytes], inputs: Sequence[str], fields: Sequence[TextField], options: Options
) -> Iterator[Item]:
    """One item for each line of a file of texts, or each row of a Parquet file as JSON."""
    if options.jsonl or options.parquet:
        return items_from_jsonl(lines, inputs, fields)
    return items_from_txt(lines, inputs, has_list=any(field.is_list for field in fields))


def run_summary(done: int, failed: int, elapsed_s: float) -> str:
    """One line that says how a run went."""
    lines = "1 line" if done == 1 else f"{done} lines"
    rate = f"{done / max(elapsed_s, 1e-9):.0f} lines/s"
    failures = f"{failed} failed" if failed else "none failed"
    return f"{lines} in {elapsed_s:.1f} s ({rate}), {failures}"


async def _new_scorer(job: Job[Any], caller: Caller) -> Scorer[Any]:
    if job.method is None:
        raise UsageError("--evaluate cannot score these results")
    return job.method.scorer(await job.method.labels(caller))


@dataclass(slots=True)
class _Tally:
    """Progress of a run: lines with a written result or error, and failed ones among them."""

    done: int = 0
    failed: int = 0


class _Run(Generic[_R]):
    """One run of a job: its steps."""

    def __init__(
        self,
        job: Job[_R],
        scorer: Scorer[_R] | None,
        fields: Sequence[TextField],
        options: Options,
        tally: _Tally,
        task_options: Mapping[str, str],
    ) -> None:
        self._job = job
        self._scorer = scorer
        self._fields = fields
        self._options = options
        self._tally = tally
        self._task_options = task_options

    async def execute(self, largest_batch: int) -> int:
        """Answer every line, and print the scores if they are asked for; returns the exit code."""
        started = time.monotonic()
        limits = fitting_limits(self._options.limits, largest_batch, self._job)
        if self._options.part_rows is not None:
            await self._write_parts(self._options.part_rows, limits)
        else:
            with (
                self._items() as items,
                self._opened_sink() as sink,
                self._progress(items) as progress,
            ):
                await self._stream(items, sink, limits, progress)
        if self._scorer is not None:
            as_json = json.dumps(self._scorer.as_json(), ensure_ascii=False)
            print(as_json if self._options.json else "\n".join(self._scorer.lines()))
        elif self._options.output is not None:
            print(self._options.output)
        self._summarise(time.monotonic() - started)
        return 1 if self._tally.failed else 0

    async def _write_parts(self, part_rows: int, limits: RequestLimits) -> None:
        """Write each part that is not there yet; one row of a part for each row of the file."""
        assert self._options.path is not None
        assert self._options.output is not None
        facts = part_facts(self._job, self._options, self._task_options)
        with (
            opened_part_folder(self._options.output, facts) as folder,
            self._items() as items,
            self._progress(items) as progress,
        ):
            rest = iter(items)
            for number in count():
                part = islice(rest, part_rows)
                if folder.path(number).exists():
                    deque(part, maxlen=0)  # read past them
                    continue
                sink = PartSink(self._job.json_from_result)
                await self._stream(part, sink, limits, progress)
                if not sink.rows:
                    return
                folder.write(number, sink)

    async def _stream(
        self,
        items: Iterable[Item],
        sink: Sink[_R] | None,
        limits: RequestLimits,
        progress: FileProgress,
    ) -> None:
        blocks = stream_outcomes(iter(items), self._job.send, limits)
        async with aclosing(blocks):
            async for outcomes in blocks:
                self._report_failures(outcomes, progress)
                if sink is not None:
                    sink.write(outcomes)
                self._tally.done += len(outcomes)
                for outcome in outcomes:
                    if self._scorer is not None and outcome.result is not None:
                        self._scorer.add(outcome.item, outcome.result)
                progress.update(len(outcomes))

    @contextmanager
    def _items(self) -> Iterator[Iterable[Item]]:
        """The rows of the command line or of the file, as the job takes them."""
        path, job = self._options.path, self._job
        if path is None:
            yield items_from_texts(self._options.columns)
            return
        opened = opened_parquet(path, self._fields) if self._options.parquet else opened_lines(path)
        with opened as lines:
            if self._options.evaluate is not None and job.method is not None:
                yield job.method.read(lines, job.texts)
            else:
                yield items_of_lines(lines, job.texts, self._fields, self._options)

    def _opened_sink(self) -> AbstractContextManager[Sink[_R] | None]:
        """The sink of the results; none if only the scores are asked for."""
        job, path = self._job, self._options.output
        if path is not None and job.open_file is not None:
            return job.open_file(path)
        if path is not None:
            return opened_text_sink(path, JsonPrinter(job.json_from_result))
        if self._options.evaluate is not None:
            return nullcontext()
        if self._options.json:
            return opened_text_sink(None, JsonPrinter(job.json_from_result))
        return opened_text_sink(None, job.printer)

    def _progress(self, items: Iterable[Item]) -> AbstractContextManager[FileProgress]:
        """The progress of a file, apart from results that are printed on the same terminal."""
        # Imported here because `--help` needs no bar.
        from ernie_triton.client.cli.progress import file_progress

        path = self._options.path
        printing = self._options.output is None and self._options.evaluate is None
        shown = path is not None and not (printing and sys.stdout.isatty())
        total = None
        if shown and path is not None and self._options.part_rows is None:
            # The examples of a JSON document are a list; their number is not its lines'.
            counted = parquet_rows if self._options.parquet else count_lines
            total = len(items) if isinstance(items, Sequence) else counted(path)
        return file_progress(total, "line", shown=shown)

    def _report_failures(self, outcomes: Sequence[Outcome[_R]], progress: FileProgress) -> None:
        for outcome in outcomes:
            if outcome.result is None:
                self._tally.failed += 1
                progress.note(f"{outcome.item.place}: {outcome.error}")

    def _summarise(self, elapsed_s: float) -> None:
        tally = self._tally
        if self._options.path is None and not tally.failed:
            return
        print(run_summary(tally.done, tally.failed, elapsed_s), file=sys.stderr)
