"""Pipelines and the servers that have them: found by asking the servers, and watched from then on.

A pipeline's task is read from its own inputs and outputs, as the clients do. One that several
servers have is asked where the fewest requests of this process wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ernie_triton.client.addresses import host_of, is_name_of_many, servers_of_name
from ernie_triton.client.client import AsyncioClient
from ernie_triton.client.health import probe_columns
from ernie_triton.client.statistics import AsyncStatistics
from ernie_triton.client.transport import Connection, GrpcAsyncTransport
from ernie_triton.client.wire import AsyncTransport, InferRequest, ModelFacts
from ernie_triton.errors import (
    ClientError,
    ModelNotReadyError,
    QueueFullError,
    ServerUnavailableError,
)
from ernie_triton.gateway.described import DescribedTransport
from ernie_triton.gateway.problems import ProblemError
from ernie_triton.gateway.stage_times import CountStages, PipelineTimes
from ernie_triton.gateway.tokens import TokenSource
from ernie_triton.tasks import TASKS, Task

_T = TypeVar("_T")
_Client = TypeVar("_Client", bound=AsyncioClient)
_LOOK_TIMEOUT_S = 5.0
# A reason to ask another server, if one has the pipeline too.
_ELSEWHERE = (ServerUnavailableError, ModelNotReadyError, QueueFullError)

Connect = Callable[[Connection], AsyncTransport]


def task_of_pipeline(facts: ModelFacts) -> Task | None:
    """The task whose inputs and outputs a model has; None for a stage or another model."""
    found = [
        task
        for task in TASKS.values()
        if set(facts.inputs) in (set(task.texts), set(task.pair_texts))
        and _results(task) <= set(facts.outputs)
    ]
    return max(found, key=lambda task: len(_results(task)), default=None)


def _results(task: Task) -> set[str]:
    return {tensor.name for tensor in (*task.results, *task.tokenizer_results)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Ways to a server: `connect` for requests, `count_stages` for its counts."""

    connect: Connect = GrpcAsyncTransport
    count_stages: CountStages = AsyncStatistics


class ServedPipeline:
    """One pipeline on one server.

    Attributes:
        name: the model's.
        url: the server's.
        task: found in its description.
        facts: its description.
        fault: why it does not answer; empty while it does.
        in_flight: requests of this process that wait for it.
        found_s: when it was found, in seconds since 1970.
        tokens: shows and counts the tokens of texts.
        stage_times: measures its stages.
    """

    def __init__(
        self,
        connection: Connection,
        task: Task,
        facts: ModelFacts,
        transport: AsyncTransport,
        ways: Ways,
    ) -> None:
        self.name = connection.endpoint.model
        self.url = connection.endpoint.url
        self.task = task
        self.facts = facts
        self.fault = ""
        self.in_flight = 0
        self.found_s = int(time.time())
        self._answered_s = float("-inf")
        self._transport = transport
        self._described = DescribedTransport(transport, facts)
        self.tokens = TokenSource(connection, task, self._described, ways.connect)
        self.stage_times = PipelineTimes(
            connection, facts.stages or (self.name,), ways.count_stages
        )

    @property
    def is_pair(self) -> bool:
        """True where each row has a second text."""
        return len(self.facts.inputs) > 1

    def client(self, kind: type[_Client], timeout_s: float) -> _Client:
        """A client of the pipeline for one call; it tries once.

        The caller of a gateway tries again by itself: a retry here would hold its place.
        """
        return kind(self.url, self.name, timeout_s=timeout_s, retries=0, transport=self._described)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Count a request that waits, and note from its end whether the pipeline answers."""
        self.in_flight += 1
        try:
            yield
        except (ServerUnavailableError, ModelNotReadyError) as error:
            self.fault = str(error.args[0])
            raise
        else:
            self.fault = ""
            self._answered_s = time.monotonic()
        finally:
            self.in_flight -= 1

    async def probe(self, after_s: float) -> None:
        """Send one small request through all stages, unless one was answered a moment ago."""
        if time.monotonic() - self._answered_s < after_s:
            return
        request = InferRequest(columns=probe_columns(self.facts.inputs), outputs=())
        # Refusing work over the limit is what a healthy server does under too much load.
        with contextlib.suppress(ClientError), self.noted(), contextlib.suppress(QueueFullError):
            await self._transport.infer(request, _LOOK_TIMEOUT_S)

    async def close(self) -> None:
        """Give the connections back."""
        await self.close_helpers()
        await self._transport.close()

    async def close_helpers(self) -> None:
        """Give all connections back but the first."""
        await self.tokens.close()
        await self.stage_times.close()


class Pipelines:
    """The pipelines of all servers; `look` finds them anew."""

    def __init__(self, servers: Sequence[Connection], ways: Ways | None = None) -> None:
        """Remember the servers; nothing is asked yet.

        Args:
            servers: connections without a model's name; `dns:///host:port` is each server that
                the name stands for at the latest look.
            ways: to the servers; by default gRPC.
        """
        self._ways = ways or Ways()
        by_url = {server.endpoint.url: server for server in servers}
        self._names = {url: server for url, server in by_url.items() if is_name_of_many(url)}
        self._servers: dict[str, Connection] = {}
        self._asked: dict[str, AsyncTransport] = {}
        self._served: dict[tuple[str, str], ServedPipeline] = {}
        self._others: set[tuple[str, str]] = set()
        self._away: set[str] = set()
        for url, server in by_url.items():
            if url not in self._names:
                self._add(replace(server, has_peers=len(by_url) > 1))

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of the servers, given and found."""
        return (*self._names, *self._servers)

    def by_name(self) -> Mapping[str, tuple[ServedPipeline, ...]]:
        """Every pipeline with those who serve it, sorted by name."""
        found: dict[str, tuple[ServedPipeline, ...]] = {}
        for (name, _), served in sorted(self._served.items()):
            found[name] = (*found.get(name, ()), served)
        return found

    def named(self, name: str, tasks: Sequence[Task]) -> tuple[ServedPipeline, ...]:
        """Servers of a pipeline of these tasks, the one to ask first at the front.

        Args:
            name: the pipeline's; empty for the only one there is, or the one of a default name.
            tasks: tasks that will do.

        Raises:
            ProblemError: there is none, or several and none was named.
        """
        fitting = {
            key: served
            for key, served in self.by_name().items()
            if any(served[0].task.name == task.name for task in tasks)
        }
        wanted = name or next(iter(fitting)) if len(fitting) == 1 else name
        if not wanted:
            defaults = [task.default_model for task in tasks if task.default_model in fitting]
            wanted = defaults[0] if defaults else ""
        if wanted in fitting:
            return tuple(sorted(fitting[wanted], key=_turn))
        if self._away and not (fitting and not name):
            raise _server_away(name)
        raise _no_pipeline(name, tasks, sorted(fitting))

    async def ask(
        self,
        name: str,
        tasks: Sequence[Task],
        question: Callable[[ServedPipeline], Awaitable[_T]],
    ) -> _T:
        """Ask a pipeline; where its server is away or full, another one that has it too.

        Raises:
            ProblemError: there is no such pipeline.
            ClientError: no server of it answers.
        """
        one = self.named(name, tasks)[0]
        asked: set[str] = set()
        while True:
            try:
                with one.noted():
                    return await question(one)
            except _ELSEWHERE:
                asked.add(one.url)
                # One may have been found since: a server that hangs is given up after seconds.
                others = [new for new in self.by_name().get(one.name, ()) if new.url not in asked]
                if not others:
                    raise
                one = min(others, key=_turn)

    async def look(self, after_s: float) -> None:
        """Find the pipelines of every server, and probe those that were not asked a moment ago."""
        await asyncio.gather(*(self._look_up(name) for name in self._names))
        await asyncio.gather(*(self._look_at(url) for url in tuple(self._servers)))
        await asyncio.gather(*(one.probe(after_s) for one in tuple(self._served.values())))

    async def watch(self, every_s: float) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await self.look(every_s)

    async def close(self) -> None:
        """Give all connections back."""
        for served in self._served.values():
            await served.close()
        for asked in self._asked.values():
            await asked.close()

    def _add(self, server: Connection) -> None:
        self._servers[server.endpoint.url] = server
        self._asked[server.endpoint.url] = self._ways.connect(server)

    async def _look_up(self, name: str) -> None:
        """Take in the servers that a name has gained; forget those that it lost and are away."""
        server, host = self._names[name], host_of(name)
        try:
            found = await servers_of_name(name)
        except ClientError:
            self._away.add(name)
            return  # those that are known may answer still
        self._away.discard(name)
        for url in (url for url in found if url not in self._servers):
            endpoint = replace(server.endpoint, url=url)
            self._add(replace(server, endpoint=endpoint, has_peers=True, tls_name=host))
        of_name = {url for url, known in self._servers.items() if known.tls_name == host}
        for url in (of_name & self._away) - set(found):
            await self._forget(url)

    async def _forget(self, url: str) -> None:
        for key in [key for key in self._served if key[1] == url]:
            await self._served.pop(key).close()
        await self._asked.pop(url).close()
        del self._servers[url]
        self._away.discard(url)

    async def _look_at(self, url: str) -> None:
        try:
            names = await self._asked[url].ready_models(_LOOK_TIMEOUT_S)
        except ClientError as error:
            self._away.add(url)
            for (_, place), served in self._served.items():
                if place == url:
                    served.fault = str(error)
            return
        self._away.discard(url)
        for key in [key for key in self._served if key[1] == url and key[0] not in names]:
            await self._served.pop(key).close()
        self._others = {key for key in self._others if key[1] != url or key[0] in names}
        unknown = [name for name in names if (name, url) not in self._others]
        await asyncio.gather(*(self._read(url, name) for name in unknown))

    async def _read(self, url: str, name: str) -> None:
        """Read a model's description, and keep it if it is a pipeline's."""
        server = self._servers[url]
        known = self._served.get((name, url))
        connection = replace(server, endpoint=replace(server.endpoint, model=name))
        transport = known._transport if known else self._ways.connect(connection)
        try:
            facts = await transport.facts(_LOOK_TIMEOUT_S)
        except ClientError:
            facts = None
        if known and facts in (known.facts, None):
            return
        task = task_of_pipeline(facts) if facts else None
        if facts is None or task is None:
            self._served.pop((name, url), None)
            if facts:  # a stage, or another model
                self._others.add((name, url))
            await transport.close()
            return
        if known:
            await known.close_helpers()
        self._served[name, url] = ServedPipeline(connection, task, facts, transport, self._ways)


def _turn(served: ServedPipeline) -> tuple[bool, int]:
    """The order in which to ask: those that answer first, and of them the idlest."""
    return bool(served.fault), served.in_flight


def _server_away(name: str) -> ProblemError:
    """The problem where a server that may have the pipeline does not answer."""
    return ProblemError(
        "server-away",
        503,
        f"no server that answers has the pipeline {name!r}, and one does not answer",
        "try again in a second",
        {"retry-after": "1"},
    )


def _no_pipeline(name: str, tasks: Sequence[Task], fitting: Sequence[str]) -> ProblemError:
    wanted = " or ".join(task.name for task in tasks)
    there = ", ".join(fitting) or "none"
    if name or not fitting:
        cause = f"there is no pipeline {name!r} of {wanted}" if name else f"no pipeline of {wanted}"
        return ProblemError(
            "unknown-pipeline", 404, f"{cause}; there are: {there}", "name one of /v1/models"
        )
    cause = f"`model` is missing, and several pipelines are of {wanted}: {there}"
    return ProblemError("no-pipeline-named", 400, cause, "name one of them as `model`")
