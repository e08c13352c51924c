"""One process of a run: answers parts, and writes the file of each."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from ernie_triton.bulk.file_parts import FilePart, opened_part
from ernie_triton.bulk.repository_stages import repository_answers
from ernie_triton.client.cli.job import Job
from ernie_triton.client.cli.options import options_from_namespace
from ernie_triton.client.cli.parts import PartFolder, PartSink
from ernie_triton.client.cli.run import fitting_limits, task_command
from ernie_triton.client.cli.stream import RequestLimits, stream_outcomes
from ernie_triton.client.client import Blocking
from ernie_triton.client.core import Caller
from ernie_triton.client.request_context import request_context
from ernie_triton.client.transport import GrpcAsyncTransport
from ernie_triton.client.wire import AsyncTransport
from ernie_triton.errors import DatasetError, ErnieTritonError


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOutcome:
    """The end of a part: its rows and the failed ones among them, or what ended the run."""

    rows: int = 0
    failed: int = 0
    error: str = ""


class PartWorker:
    """Answers parts one after the other, over one connection or with stages of its own."""

    def __init__(self, task: str, found: argparse.Namespace, threads: int = 0) -> None:
        """Connect or open with the first part, not here.

        Args:
            task: the command's.
            found: its arguments, with absolute paths.
            threads: of an engine in this process; 0 as the pipeline was built.
        """
        self._command = task_command(task)
        self._found = found
        self._options = options_from_namespace(found, self._command.usage.texts)
        self._threads = threads
        self._loop = asyncio.new_event_loop()
        self._caller: Caller | None = None

    def __call__(self, part: FilePart) -> PartOutcome:
        """Answer a part and write its file, again where it is there already."""
        try:
            with request_context(
                request_id=self._found.request_id, traceparent=self._found.traceparent
            ):
                return self._loop.run_until_complete(self._written(part))
        except ErnieTritonError as error:
            return PartOutcome(error=str(error))

    def job(self) -> Job[Any]:
        """The requests of the task, for the model as it is."""
        return self._loop.run_until_complete(self._opened())[0]

    def close(self) -> None:
        """Give the connection back."""
        if self._caller is not None:
            self._loop.run_until_complete(self._caller.close())
        self._loop.close()

    async def _opened(self) -> tuple[Job[Any], RequestLimits]:
        if self._caller is None:
            options = self._options
            self._caller = Caller(self._transport(), options.connection.endpoint, options.policy)
        job = await self._command.new_job(self._found, self._caller)
        largest = (await self._caller.facts()).max_batch_size
        return job, fitting_limits(self._options.limits, largest, job)

    def _transport(self) -> AsyncTransport:
        endpoint = self._options.connection.endpoint
        if self._found.repository is None:
            return GrpcAsyncTransport(self._options.connection)
        repository = self._found.repository
        return Blocking(repository_answers(repository, endpoint.model, self._threads))

    async def _written(self, part: FilePart) -> PartOutcome:
        job, limits = await self._opened()
        sink = PartSink(job.json_from_result)
        fields = self._command.usage.fields
        with opened_part(part, self._options, job.texts, fields) as items:
            blocks = stream_outcomes(items, job.send, limits)
            async with aclosing(blocks):
                async for outcomes in blocks:
                    sink.write(outcomes)
        if sink.rows != part.rows:
            raise DatasetError(
                f"{self._options.path} had {part.rows} rows from row {part.first + 1} on, and has "
                f"{sink.rows} now; leave a file as it is during a run"
            )
        assert self._options.output is not None
        PartFolder(self._options.output).write(part.number, sink)
        failed = sum(error is not None for error in sink.columns["error"])
        return PartOutcome(rows=sink.rows, failed=failed)
