"""Turn rows into results, for every task, blocking and asyncio alike.

Stands between a task's client and a transport. Everything here is a coroutine; a blocking client
runs the same coroutines over a transport that never suspends (see `client`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ernie_triton.client.request_context import current_context
from ernie_triton.client.wire import (
    AsyncTransport,
    Endpoint,
    InferRequest,
    ModelFacts,
    Reply,
    RequestedOutput,
)
from ernie_triton.errors import (
    ClientError,
    ContractError,
    DeadlineExceededError,
    ModelAwayError,
    ModelNotReadyError,
    QueueFullError,
    RequestRefusedError,
    ServerUnavailableError,
    StageFailedError,
)
from ernie_triton.stage_names import without_stages
from ernie_triton.tasks import Task

_T = TypeVar("_T")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)

DEFAULT_TIMEOUT_S = 30.0
_MOST_STAGE_FAILURES = 2

Row = tuple[bytes, ...]
"""One value for each of the task's inputs, in their order; any number for the last if a list."""

Send = Callable[[Sequence[Row]], Awaitable[Sequence[_R | ClientError]]]
"""Answers a batch of rows: a result or an error for each; raises what concerns every batch."""


class Codec(Protocol[_R_co]):
    """A task's part of a call: the outputs to ask for, and the results to read from them."""

    @property
    def task(self) -> Task:
        """The task, for the names of its inputs."""

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""

    def results_from_reply(self, reply: Reply) -> Sequence[_R_co]:
        """One result for each row of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The timeout and the retries of a request.

    Attributes:
        timeout_s: for each request to the server, its retries and their pauses included.
        retries: most tries after the first when the server or the model is away; None tries until
            the timeout. A full queue is tried again until the timeout, unless `retries` is 0.
        first_pause_s: before the first retry; each further pause is twice as long.
        longest_pause_s: upper limit of a pause.
    """

    timeout_s: float = DEFAULT_TIMEOUT_S
    retries: int | None = None
    first_pause_s: float = 0.1
    longest_pause_s: float = 2.0

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s is {self.timeout_s}; it must be above 0")
        if self.retries is not None and self.retries < 0:
            raise ValueError(f"retries is {self.retries}; it must not be negative")

    def allows_retry(self, error: ClientError, failures: int) -> bool:
        """Decide whether to send a request again after this many failures."""
        if not isinstance(error, ServerUnavailableError | ModelAwayError | QueueFullError):
            return False
        if self.retries is None:
            return True
        if isinstance(error, QueueFullError):
            return self.retries > 0
        return failures <= self.retries

    def pause_s(self, failures: int) -> float:
        """The pause after this many failures: doubled each time, then shortened by up to half."""
        pause_s = min(self.first_pause_s * 2.0 ** min(failures - 1, 30), self.longest_pause_s)
        return pause_s * random.uniform(0.5, 1.0)


class Caller:
    """Sends rows to one model and reads the replies with a codec."""

    def __init__(self, transport: AsyncTransport, endpoint: Endpoint, policy: Policy) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._policy = policy
        self._facts: ModelFacts | None = None

    async def facts(self) -> ModelFacts:
        """The facts of the model's config; asked once."""
        if self._facts is None:
            facts = await self._with_retries(self._transport.facts)
            if facts.max_batch_size < 1:
                raise ContractError(
                    f"{self._endpoint} takes no batches (max_batch_size is 0); name the pipeline's "
                    "ensemble, not another model"
                )
            self._facts = facts
        return self._facts

    async def input_names(self, task: Task) -> tuple[str, ...]:
        """The model's inputs in the order of the task, for single texts or for pairs.

        Raises:
            ContractError: the model's inputs are those of another task.
        """
        found = (await self.facts()).inputs
        for names in (task.texts, task.pair_texts):
            if names and set(names) == set(found):
                return names
        expected = " or ".join(", ".join(names) for names in (task.texts, task.pair_texts) if names)
        raise ContractError(
            f"{self._endpoint} takes the inputs {', '.join(found)}, but {task.name} has "
            f"{expected}; name a model of this task"
        )

    async def results(self, rows: Sequence[Row], codec: Codec[_R]) -> list[_R]:
        """One result for each row, in requests no larger than the model takes.

        Raises:
            RequestRefusedError: the server refuses a row; the message counts from 1.
            ClientError: another reason concerns the whole request.
        """
        results: list[_R] = []
        largest = (await self.facts()).max_batch_size
        for start in range(0, len(rows), largest):
            outcomes = await self.outcomes(rows[start : start + largest], codec)
            for number, outcome in enumerate(outcomes, start + 1):
                if isinstance(outcome, RequestRefusedError):
                    raise _numbered(outcome, number) from outcome
                if isinstance(outcome, ClientError):
                    raise outcome
                results.append(outcome)
        return results

    async def outcomes(self, rows: Sequence[Row], codec: Codec[_R]) -> list[_R | ClientError]:
        """One result for each row, or the error that concerns that row and no other.

        The server refuses a whole request, so the rows of a refused one are sent again one by one.
        After a timeout every row has the same error: to send them again would only add load.

        Raises:
            ClientError: a reason that every other request would meet too.
        """
        names = await self.input_names(codec.task)
        facts = await self.facts()
        self._check_columns(rows, names, codec.task)
        self._check_outputs(facts, codec)
        # Rows with a list may differ in its length, which those of one request must not.
        largest = 1 if codec.task.list_input else facts.max_batch_size
        if len(rows) > largest:
            parts = [rows[at : at + largest] for at in range(0, len(rows), largest)]
            return [outcome for part in parts for outcome in await self.outcomes(part, codec)]
        try:
            return list(await self._request(rows, names, codec))
        except DeadlineExceededError as error:
            return [error] * len(rows)
        except RequestRefusedError as error:
            if len(rows) == 1:
                return [error]
        return [(await self.outcomes([row], codec))[0] for row in rows]

    async def close(self) -> None:
        """Give the connection back."""
        await self._transport.close()

    def _check_columns(self, rows: Sequence[Row], names: tuple[str, ...], task: Task) -> None:
        found = {len(row) for row in rows} - {len(names)}
        if task.list_input:
            found = {texts for texts in found if texts < len(names)}
        if found:
            raise ContractError(
                f"{self._endpoint} takes {len(names)} text(s) a row ({', '.join(names)}), "
                f"but a row has {found.pop()}; give one value for each"
            )

    def _check_outputs(self, facts: ModelFacts, codec: Codec[_R]) -> None:
        asked = [output.name for output in codec.requested_outputs()]
        missing = {name for name in asked if name not in facts.outputs}
        if not missing:
            return
        optional = {tensor.name for tensor in codec.task.optional_results}
        advice = f"name a model of {codec.task.name}"
        if missing <= optional:
            advice = "it is an option of the build: build the pipeline with it"
        raise ContractError(
            f"{self._endpoint} returns {', '.join(facts.outputs)}, but not "
            f"{', '.join(sorted(missing))}; {advice}"
        )

    async def _request(
        self, rows: Sequence[Row], names: tuple[str, ...], codec: Codec[_R]
    ) -> Sequence[_R]:
        if not rows:
            return []
        context = current_context()
        request = InferRequest(
            columns=_columns(rows, names, codec.task),
            outputs=codec.requested_outputs(),
            request_id=context.id_of_request(),
            headers=context.trace_headers(),
        )
        try:
            reply = await self._with_retries(
                lambda timeout_s: self._transport.infer(request, timeout_s)
            )
            self._check_reply(reply, request, len(rows), codec.task)
            return codec.results_from_reply(reply)
        except ServerUnavailableError:
            raise  # nothing that answers has seen the id
        except ClientError as error:
            error.request_id = request.request_id
            raise

    def _check_reply(self, reply: Reply, request: InferRequest, rows: int, task: Task) -> None:
        for output in request.outputs:
            found = reply[output.name].shape[:1] if output.name in reply else ()
            if found != (rows,):
                raise ContractError(
                    f"{self._endpoint} returned {output.name!r} for {found or 'no'} rows of "
                    f"{rows}; name a model of {task.name}"
                )

    async def _with_retries(self, call: Callable[[float], Awaitable[_T]]) -> _T:
        """The result of the call, which is repeated within the timeout if that is safe.

        Inference changes nothing on the server. A request may be sent again after a full queue, a
        lost connection or while its model is away; after any other error it is not.
        """
        deadline = time.monotonic() + self._policy.timeout_s
        failures = stage_failures = 0
        while True:
            remaining_s = max(deadline - time.monotonic(), 0.001)
            try:
                return await call(remaining_s)
            except ClientError as found:
                error = await self._with_ready_models(found, remaining_s)
                failures += 1
                stage_failures += isinstance(error, StageFailedError)
                pause_s = self._policy.pause_s(failures)
                over = time.monotonic() + pause_s >= deadline
                # A request may be what ends the stage.
                over = over or stage_failures > _MOST_STAGE_FAILURES
                if over or not self._policy.allows_retry(error, failures):
                    raise error from found.__cause__
            await self._transport.pause(pause_s)

    async def _with_ready_models(self, error: ClientError, timeout_s: float) -> ClientError:
        """Name the server's models in the error of one that it has not; none are there as yet."""
        if not isinstance(error, ModelNotReadyError) or isinstance(error, ModelAwayError):
            return error
        try:
            ready = await self._transport.ready_models(timeout_s)
        except ClientError:
            return error
        if not ready:
            return ModelAwayError(f"{error}; the server has no model ready")
        return ModelNotReadyError(f"{error}; ready there: {', '.join(without_stages(ready))}")


def _columns(rows: Sequence[Row], names: Sequence[str], task: Task) -> dict[str, list[bytes]]:
    """The values of each input, row after row."""
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    if task.list_input:
        columns[names[-1]] = [text for row in rows for text in row[len(names) - 1 :]]
    return columns


def _numbered(error: RequestRefusedError, number: int) -> RequestRefusedError:
    """The same refusal, saying which of a call's texts it is about."""
    numbered = RequestRefusedError(f"text {number}: {error.args[0]}")
    numbered.request_id = error.request_id
    return numbered
