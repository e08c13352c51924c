"""Faults that production sees: stages killed and hung, impatient callers, broken connections."""

import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from ernie_triton.client.statistics import StatisticsClient
from ernie_triton.errors import ClientError
from ernie_triton.perf.chaos.subjects import ChaosSubject
from ernie_triton.perf.running.checker import SoloAnswer
from ernie_triton.server.stage_processes import stage_processes

_BACK_WITHIN_S = 120.0
_POLL_S = 0.05
_PROBE_TIMEOUT_S = 2.0
_IMPATIENT_S = 0.3
_IMPATIENT_CALLS = 300
_IMPATIENT_THREADS = 50
_IMPATIENT_ROWS = 8
_CONNECTIONS = 100
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class StruckPipeline:
    """A pipeline on a server that is to be broken.

    Attributes:
        url: the server's gRPC address.
        server_pid: process of tritonserver.
        subject: the pipeline.
        solo: a row with its right answers, one a build that may be live.
    """

    url: str
    server_pid: int
    subject: ChaosSubject
    solo: Sequence[SoloAnswer]

    def answers(self) -> bool:
        """Ask the row once; True if the answer is right."""
        probe = self.subject.client(self.url, timeout_s=_PROBE_TIMEOUT_S, retries=0)
        with contextlib.suppress(ClientError), probe as client:
            return self.subject.is_right(
                self.subject.comparison.ask(client, self.solo[0].row), self.solo
            )
        return False

    def stages(self) -> list[tuple[int, str]]:
        """The processes of the pipeline's Python stages, each with its stage's name."""
        with StatisticsClient(self.url, self.subject.name) as statistics:
            names = set(statistics.stages()) | {self.subject.name}
        found = stage_processes(self.server_pid)
        return sorted((pid, name) for pid, name in found.items() if name in names)


class Fault(Protocol):
    """One kind of fault.

    Attributes:
        name: for the report.
        hurts: True if requests to the pipeline may fail until it is back; those to others may not.
    """

    name: str
    hurts: bool

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Break the pipeline; returns what was done, for the report."""


class KilledStage:
    """A stage's process is killed."""

    name = "stage killed"
    hurts = True

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Send SIGKILL to one of the pipeline's stages."""
        return _signalled(target, chance, signal.SIGKILL)


class HungStage:
    """A stage's process stands still."""

    name = "stage hung"
    hurts = True

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Send SIGSTOP to one of the pipeline's stages."""
        return _signalled(target, chance, signal.SIGSTOP)


class ImpatientCallers:
    """Many requests whose callers give up before the answer."""

    name = "impatient callers"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Send requests of several rows with a deadline that most of them miss."""
        del chance
        columns = [[text.encode()] * _IMPATIENT_ROWS for text in target.solo[0].row]

        def is_answered(_call: int) -> bool:
            with contextlib.suppress(ClientError):
                target.subject.send(target.url, columns, _IMPATIENT_S)
                return True
            return False

        with ThreadPoolExecutor(_IMPATIENT_THREADS) as pool:
            answered = sum(pool.map(is_answered, range(_IMPATIENT_CALLS)))
        return f"{_IMPATIENT_CALLS} requests of {_IMPATIENT_ROWS} rows, {answered} in time"


class BrokenConnections:
    """Connections that break in the middle of a request, or never speak gRPC."""

    name = "broken connections"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Open connections, send the start of a request or noise, and close them."""
        host, _, port = target.url.rpartition(":")
        for _ in range(_CONNECTIONS):
            start = chance.choice((b"", _HTTP2_PREFACE, _HTTP2_PREFACE + chance.randbytes(64)))
            with (
                contextlib.suppress(OSError),
                socket.create_connection((host, int(port)), _PROBE_TIMEOUT_S) as connection,
            ):
                connection.sendall(start or chance.randbytes(512))
        return f"{_CONNECTIONS} connections"


FAULTS: tuple[Fault, ...] = (KilledStage(), HungStage(), ImpatientCallers(), BrokenConnections())


def comes_back(target: StruckPipeline) -> bool:
    """Wait until the pipeline gives a right answer again; False after two minutes without."""
    deadline = time.monotonic() + _BACK_WITHIN_S
    while time.monotonic() < deadline:
        if target.answers():
            return True
        time.sleep(_POLL_S)
    return False


def _signalled(target: StruckPipeline, chance: random.Random, number: signal.Signals) -> str:
    stages = target.stages()
    if not stages:
        return "no stage runs in a process of its own"
    pid, name = chance.choice(stages)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    return f"{number.name} to {name}"
