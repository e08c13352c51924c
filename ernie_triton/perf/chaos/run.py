"""Serve a repository by the real command, load it, and strike it until the time is up."""

import contextlib
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from ernie_triton.errors import ClientError, ServerError
from ernie_triton.perf.chaos.build_faults import ReloadedBuild, RolledBackBuild
from ernie_triton.perf.chaos.connection_faults import BrokenConnections, DroppedConnections
from ernie_triton.perf.chaos.faults import Fault, StruckPipeline
from ernie_triton.perf.chaos.load import MixedLoad, RightAnswers
from ernie_triton.perf.chaos.report import ChaosReport, ProcessFacts, Strike
from ernie_triton.perf.chaos.request_faults import CancelledRequests, FullQueue, ImpatientCallers
from ernie_triton.perf.chaos.stage_faults import HungStage, KilledStage
from ernie_triton.perf.chaos.subjects import ChaosSubject, subjects_of
from ernie_triton.perf.chaos.twins import copy_repository
from ernie_triton.processes.child_process import running_child

_START_S = 300.0
_STOP_S = 60.0
_SERVER = "tritonserver"

FAULTS: tuple[Fault, ...] = (
    KilledStage(),
    ReloadedBuild(),
    FullQueue(),
    CancelledRequests(),
    HungStage(),
    RolledBackBuild(),
    ImpatientCallers(),
    DroppedConnections(),
    BrokenConnections(),
)
"""Every kind, in the order in which they strike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosOptions:
    """A run.

    Attributes:
        repository: to serve; it is only read.
        minutes: of load and faults; each kind strikes once at least.
        threads: requests under way at a time.
        calm_s: seconds without a fault, after each.
        timeout_s: for each request of the load.
        retries: of the load's clients; 0 shows every failure that the server makes.
        seed: of the order of faults and requests.
    """

    repository: Path
    minutes: float
    threads: int = 8
    calm_s: float = 5.0
    timeout_s: float = 30.0
    retries: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingProcess:
    """The command `serve` in a process of its own, with the address that it printed."""

    process: psutil.Process
    url: str

    @property
    def server_pid(self) -> int:
        """The process of tritonserver now; another one after a restart.

        Raises:
            ServerError: there is none.
        """
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in self.process.children(recursive=True):
                if child.name() == _SERVER:
                    return int(child.pid)
        raise ServerError("tritonserver has ended; see its last lines above")

    def facts(self) -> ProcessFacts:
        """Memory and descriptors of the command and everything it started.

        Memory is the proportional set size: what processes share is counted once.
        """
        memory = descriptors = 0
        for process in [self.process, *self.process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                memory += process.memory_full_info().pss
                descriptors += process.num_fds()
        return ProcessFacts(memory_bytes=memory, descriptors=descriptors)


def run_chaos(
    options: ChaosOptions,
    progress: Callable[[str], None],
    faults: Sequence[Fault] = FAULTS,
) -> ChaosReport:
    """Serve, load and strike; the repository is as it was afterwards.

    Args:
        options: the run.
        progress: receives a line for each fault.
        faults: the kinds of faults, in turn.

    Raises:
        DatasetError: the repository holds no pipeline.
        ServerError: the server did not start.
        ClientError: a pipeline does not answer before anything is broken.
    """
    subjects = subjects_of(options.repository)
    with tempfile.TemporaryDirectory(prefix="ernie-triton-chaos-") as folder:
        copy = Path(folder) / "models"
        copy_repository(options.repository, copy)
        with serving(copy) as server:
            return _struck_under_load(options, Field(server, copy, subjects), progress, faults)


@dataclass(frozen=True, slots=True)
class Field:
    """A target of faults: a server, the repository that it serves, and its pipelines."""

    server: "ServingProcess"
    repository: Path
    subjects: Sequence[ChaosSubject]


def _struck_under_load(
    options: ChaosOptions,
    field: Field,
    progress: Callable[[str], None],
    faults: Sequence[Fault],
) -> ChaosReport:
    server, chance = field.server, random.Random(options.seed)
    right: RightAnswers = {
        subject.name: subject.solo_answers(server.url, options.timeout_s)
        for subject in field.subjects
    }
    before = server.facts()
    strikes: list[Strike] = []
    load = MixedLoad(
        server.url,
        field.subjects,
        right,
        threads=options.threads,
        timeout_s=options.timeout_s,
        retries=options.retries,
    )
    start = time.monotonic()
    deadline = start + 60 * options.minutes
    failure = ""
    with load:
        try:
            while len(strikes) < len(faults) or time.monotonic() < deadline:
                time.sleep(options.calm_s)
                target = StruckPipeline(
                    url=server.url,
                    server_pid=server.server_pid,
                    repository=field.repository,
                    subject=(subject := _victim(field.subjects, len(strikes), len(faults))),
                    solo=chance.choice(right[subject.name]),
                )
                strikes.append(_struck(faults[len(strikes) % len(faults)], target, chance))
                progress(_line(strikes[-1]))
            time.sleep(options.calm_s)
        except ServerError as error:
            failure = str(error)
    return ChaosReport(
        minutes=(time.monotonic() - start) / 60,
        counts=load.counts,
        strikes=strikes,
        before=before,
        after=server.facts(),
        failure=failure,
    )


def _victim(subjects: Sequence[ChaosSubject], strike: int, kinds: int) -> ChaosSubject:
    """The pipeline of a strike: each kind of fault strikes all in turn, none twice in a row.

    So no stage ends as often as makes the server give up.
    """
    turn, kind = divmod(strike, kinds)
    return subjects[(turn + kind) % len(subjects)]


@contextmanager
def serving(repository: Path) -> Iterator[ServingProcess]:
    """Run `ernie-triton serve` on free ports until the context is left.

    Raises:
        ServerError: it ended before it was ready.
    """
    command = [sys.executable, "-m", "ernie_triton", "serve", "--repository", str(repository)]
    command += ["--grpc-port", "0", "--metrics-port", "0"]
    with running_child(command, stdout=subprocess.PIPE) as process:
        try:
            line = process.stdout.readline().decode("utf-8") if process.stdout else ""
            found = re.search(r"gRPC ([\w.:\[\]]+:\d+)", line)
            if found is None:
                raise ServerError(f"serve did not say its address; it said {line.strip()!r}")
            yield ServingProcess(process=psutil.Process(process.pid), url=found[1])
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            process.kill()  # where it has not ended; `running_child` waits for it


def _struck(fault: Fault, target: StruckPipeline, chance: random.Random) -> Strike:
    struck_at = time.monotonic()
    back_s = None
    try:
        done = fault.strike(target, chance)
        if target.comes_back():
            back_s = time.monotonic() - struck_at
    except (ClientError, ServerError) as error:
        done = f"failed: {error}"
    return Strike(
        fault=fault.name,
        pipeline=target.subject.name,
        hurts=fault.hurts,
        done=done,
        struck_at=struck_at,
        back_s=back_s,
    )


def _line(strike: Strike) -> str:
    back = "never back" if strike.back_s is None else f"back after {strike.back_s:.1f} s"
    return f"{strike.fault}: {strike.pipeline}, {strike.done}; {back}"
