"""The base of every task's client: a connection, its policy, and a context manager over both.

Stands between the user's program and `core`. `BlockingClient` runs core's coroutines without an
event loop. Its transport never suspends, so one step takes a coroutine from start to end.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ernie_triton.client.addresses import joined
from ernie_triton.client.core import DEFAULT_TIMEOUT_S, Caller, Policy, Row
from ernie_triton.client.transport import Connection, GrpcAsyncTransport, GrpcTransport
from ernie_triton.client.wire import (
    AsyncTransport,
    Endpoint,
    InferRequest,
    ModelFacts,
    Reply,
    Transport,
    utf8_from_text,
)
from ernie_triton.errors import TextError
from ernie_triton.tasks import Task

_T = TypeVar("_T")
_Blocking = TypeVar("_Blocking", bound="BlockingClient")
_Asyncio = TypeVar("_Asyncio", bound="AsyncioClient")


class BlockingClient:
    """Base of the clients for ordinary programs; threads may share one."""

    task: ClassVar[Task]

    def __init__(
        self,
        url: str | Sequence[str] = "localhost:8001",
        model: str | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: int | None = None,
        tls: bool = False,
        ca_file: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        api_key: str = "",
        transport: Transport | None = None,
    ) -> None:
        """Connect with the first call, not here.

        Args:
            url: host:port of Triton's gRPC. Several, as a list or with commas between them, and
                `dns:///host:port` are servers with the same pipelines, which requests go to in
                turn.
            model: the ensemble; by default the task's own name for it.
            timeout_s: for each request, retries included; a call makes several requests if it has
                more rows than the model takes at once.
            retries: most tries after the first when the server or the model is away, as while it
                restarts; None tries until the timeout. 0 also stops retries of a full queue.
            tls: encrypt, and check the server's certificate against the system's authorities.
            ca_file: PEM file of the authority to check it against; implies `tls`.
            certificate: PEM file of the client's own certificate, with `key`; implies `tls`.
            key: PEM file of that certificate's private key.
            api_key: the key that the server wants from its clients.
            transport: another way to the server than gRPC.
        """
        endpoint = Endpoint(url=joined(url), model=model or self.task.default_model)
        connection = Connection(
            endpoint=endpoint,
            tls=tls,
            ca_file=ca_file,
            certificate=certificate,
            key=key,
            api_key=api_key,
        )
        policy = Policy(timeout_s=timeout_s, retries=retries)
        blocking = Blocking(transport or GrpcTransport(connection))
        self._caller = Caller(blocking, endpoint, policy)

    def close(self) -> None:
        """Close the connection."""
        run_blocking(self._caller.close())

    def __enter__(self: _Blocking) -> _Blocking:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncioClient:
    """Base of the clients for asyncio; one belongs to the event loop of its first call."""

    task: ClassVar[Task]

    def __init__(
        self,
        url: str | Sequence[str] = "localhost:8001",
        model: str | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: int | None = None,
        tls: bool = False,
        ca_file: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        api_key: str = "",
        transport: AsyncTransport | None = None,
    ) -> None:
        """Take the arguments of `BlockingClient`, with a transport for asyncio."""
        endpoint = Endpoint(url=joined(url), model=model or self.task.default_model)
        connection = Connection(
            endpoint=endpoint,
            tls=tls,
            ca_file=ca_file,
            certificate=certificate,
            key=key,
            api_key=api_key,
        )
        policy = Policy(timeout_s=timeout_s, retries=retries)
        self.caller = Caller(transport or GrpcAsyncTransport(connection), endpoint, policy)

    async def close(self) -> None:
        """Close the connection."""
        await self.caller.close()

    async def __aenter__(self: _Asyncio) -> _Asyncio:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Blocking:
    """A blocking transport in the form of an asyncio one; its coroutines never suspend."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def infer(self, request: InferRequest, timeout_s: float) -> Reply:
        """The answer to one request."""
        return self._transport.infer(request, timeout_s)

    async def facts(self, timeout_s: float) -> ModelFacts:
        """The facts of the model's config."""
        return self._transport.facts(timeout_s)

    async def ready_models(self, timeout_s: float) -> tuple[str, ...]:
        """Names of the models that the server has ready, sorted."""
        return self._transport.ready_models(timeout_s)

    async def pause(self, pause_s: float) -> None:
        """Wait before a retry."""
        self._transport.pause(pause_s)

    async def close(self) -> None:
        """Give the connection back."""
        self._transport.close()


def run_blocking(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end without an event loop, and return its result.

    Raises:
        RuntimeError: it suspended, so its transport was not a blocking one.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: _T = stop.value
        return value
    coroutine.close()
    raise RuntimeError("a coroutine of a blocking client suspended")


def rows_from_columns(columns: dict[str, Sequence[str]]) -> list[Row]:
    """One row for each text, from columns of texts by the name of the argument they came in.

    Raises:
        TypeError: a column is one string instead of a sequence of them.
        ValueError: the columns differ in length.
        TextError: a text cannot be sent as UTF-8; the message counts from 1.
    """
    for name, column in columns.items():
        if isinstance(column, str):
            raise TypeError(f"{name} is one string; give a list of strings")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        counts = " but ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"{counts}; give as many of each")
    rows = []
    for number, texts in enumerate(zip(*columns.values(), strict=True), 1):
        try:
            rows.append(tuple(utf8_from_text(text) for text in texts))
        except TextError as error:
            raise TextError(f"text {number}: {error}") from error
    return rows
