"""The tokens of texts, as a pipeline's own first stage shows or counts them.

The stage is the first of an ensemble, by the name that the ensemble has for it; joined stages are
one model, the pipeline itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ernie_triton.client.core import Caller, Policy, Row
from ernie_triton.client.transport import Connection
from ernie_triton.client.wire import AsyncTransport, ModelFacts, Reply, RequestedOutput
from ernie_triton.errors import ContractError
from ernie_triton.gateway.described import DescribedTransport
from ernie_triton.gateway.problems import ProblemError
from ernie_triton.tasks import TOKEN_COUNT, TOKENIZATION, Task


class ShownText(msgspec.Struct, kw_only=True):
    """The tokens of one text, in its order; `offsets` count its characters, the end excluded.

    The model reads the first `read` tokens of it, the rest is cut off.
    """

    ids: list[int]
    tokens: list[str]
    offsets: list[tuple[int, int]]
    read: int


class ShownRow(msgspec.Struct, kw_only=True):
    """The tokens of a text, or of a pair of texts.

    `count` is of all that the model reads, special tokens included. `windows` are the first and the
    last token, excluded, of each window that covers the last text; empty where texts are cut.
    """

    count: int
    truncated: bool
    texts: list[ShownText]
    windows: list[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Codec:
    """The one output to ask for."""

    task: Task
    output: str

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        return (RequestedOutput(name=self.output),)

    def results_from_reply(self, reply: Reply) -> list[bytes | int]:
        cells: list[bytes | int] = reply[self.output].ravel().tolist()
        return cells


class TokenSource:
    """Asks a pipeline's first stage."""

    def __init__(
        self,
        connection: Connection,
        task: Task,
        model: DescribedTransport,
        connect: Callable[[Connection], AsyncTransport],
    ) -> None:
        """Keep the pipeline's connection; its stage is asked for at the first call."""
        self._connection = connection
        # A row has one document here, so that rows need not be sent one by one.
        self._task = dataclasses.replace(task, list_input="")
        self._model = model
        self._connect = connect
        self._stage: AsyncTransport | None = None
        self._facts: ModelFacts | None = None

    async def shown(self, rows: Sequence[Row], timeout_s: float) -> list[ShownRow]:
        """The tokens of each row.

        Raises:
            ProblemError: the pipeline cannot show them.
            ClientError: there is no answer.
        """
        cells = await self._asked(rows, TOKENIZATION.name, timeout_s)
        try:
            return [msgspec.json.decode(cell, type=ShownRow) for cell in cells]
        except msgspec.DecodeError as error:
            raise ContractError(
                f"the pipeline shows tokens in another form: {error}; build it with this version"
            ) from error

    async def counted(self, rows: Sequence[Row], timeout_s: float) -> int | None:
        """Count the tokens that the model reads of all rows; None where the pipeline cannot say.

        Raises:
            ClientError: there is no answer.
        """
        try:
            counts: list[int] = await self._asked(rows, TOKEN_COUNT.name, timeout_s)
        except ProblemError:
            return None
        return sum(counts)

    async def close(self) -> None:
        """Give the stage's connection back."""
        if self._stage is not None:
            await self._stage.close()

    async def _asked(self, rows: Sequence[Row], output: str, timeout_s: float) -> list[Any]:
        described = await self._described(timeout_s)
        caller = Caller(
            described, self._connection.endpoint, Policy(timeout_s=timeout_s, retries=0)
        )
        return await caller.results(rows, _Codec(task=self._task, output=output))

    async def _described(self, timeout_s: float) -> DescribedTransport:
        """The first stage, if it shows tokens."""
        facts = await self._model.facts(timeout_s)
        found = self._model
        if facts.stages:
            if self._stage is None:
                endpoint = dataclasses.replace(self._connection.endpoint, model=facts.stages[0])
                stage = dataclasses.replace(self._connection, endpoint=endpoint)
                self._stage = self._connect(stage)
            if self._facts is None:
                self._facts = await self._stage.facts(timeout_s)
            found = DescribedTransport(self._stage, self._facts)
        if TOKENIZATION.name not in (await found.facts(timeout_s)).outputs:
            raise ProblemError(
                "not-available",
                501,
                f"the pipeline {self._connection.endpoint.model!r} was built by a version that "
                "does not show its tokens",
                "build the pipeline again with this version",
            )
        return found
