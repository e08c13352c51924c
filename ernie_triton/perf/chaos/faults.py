"""The shape of a fault, and the pipeline that it strikes."""

import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ernie_triton.client.statistics import StatisticsClient
from ernie_triton.errors import ClientError
from ernie_triton.perf.chaos.subjects import ChaosSubject
from ernie_triton.perf.running.checker import SoloAnswer
from ernie_triton.server.stage_processes import stage_processes

PROBE_TIMEOUT_S = 2.0
_BACK_WITHIN_S = 120.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class StruckPipeline:
    """A pipeline on a server that is to be broken.

    Attributes:
        url: the server's gRPC address.
        server_pid: process of tritonserver.
        repository: that is served; its builds may be changed.
        subject: the pipeline.
        solo: a row with its right answer.
    """

    url: str
    server_pid: int
    repository: Path
    subject: ChaosSubject
    solo: SoloAnswer

    @property
    def grpc_port(self) -> int:
        """The port of `url`, by which commands name the server."""
        return int(self.url.rpartition(":")[2])

    def columns(self, rows: int) -> list[list[bytes]]:
        """The row so many times, as `ChaosSubject.send` takes it."""
        return [[text.encode()] * rows for text in self.solo.row]

    def answers(self) -> bool:
        """Ask the row once; True if the answer is right."""
        probe = self.subject.client(self.url, timeout_s=PROBE_TIMEOUT_S, retries=0)
        with contextlib.suppress(ClientError), probe as client:
            answer = self.subject.comparison.ask(client, self.solo.row)
            return self.subject.is_right(answer, self.solo)
        return False

    def stages(self) -> list[tuple[int, str]]:
        """The processes of the pipeline's Python stages, each with its stage's name."""
        with StatisticsClient(self.url, self.subject.name) as statistics:
            names = set(statistics.stages()) | {self.subject.name}
        found = stage_processes(self.server_pid)
        return sorted((pid, name) for pid, name in found.items() if name in names)

    def comes_back(self) -> bool:
        """Wait until the pipeline gives a right answer again; False after two minutes without."""
        deadline = time.monotonic() + _BACK_WITHIN_S
        while time.monotonic() < deadline:
            if self.answers():
                return True
            time.sleep(_POLL_S)
        return False


class Fault(Protocol):
    """One kind of fault.

    Attributes:
        name: for the report.
        hurts: True if requests to the pipeline may fail until it is back; those to others may not.
    """

    name: str
    hurts: bool

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Break the pipeline; returns what was done, for the report.

        Raises:
            ServerError: something else happened than should; the run has failed.
            ClientError: the server does not answer.
        """


def reasons_of(errors: Sequence[BaseException]) -> str:
    """The number of errors, and the first one in words."""
    return f"{len(errors)} failed, the first by {type(errors[0]).__name__}: {errors[0]}"
