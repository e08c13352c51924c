"""Serve a repository by the real command, load it, and strike it until the time is up."""

import contextlib
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from ernie_triton.child_process import running_child
from ernie_triton.errors import ServerError
from ernie_triton.perf.chaos.faults import FAULTS, Fault, StruckPipeline, comes_back
from ernie_triton.perf.chaos.load import MixedLoad, RightAnswers
from ernie_triton.perf.chaos.report import ChaosReport, ProcessFacts, Strike
from ernie_triton.perf.chaos.subjects import ChaosSubject, subjects_of

_START_S = 300.0
_STOP_S = 60.0
_SERVER = "tritonserver"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosOptions:
    """A run.

    Attributes:
        repository: to serve; it is only read.
        minutes: of load and faults.
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
        ServerError: the server did not start, or ended.
        ClientError: a pipeline does not answer before anything is broken.
    """
    subjects = subjects_of(options.repository)
    chance = random.Random(options.seed)
    with serving(options.repository) as server:
        right: RightAnswers = {
            subject.name: [subject.solo_answers(server.url, options.timeout_s)]
            for subject in subjects
        }
        before = server.facts()
        strikes: list[Strike] = []
        load = MixedLoad(
            server.url,
            subjects,
            right,
            threads=options.threads,
            timeout_s=options.timeout_s,
            retries=options.retries,
        )
        deadline = time.monotonic() + 60 * options.minutes
        with load:
            while time.monotonic() < deadline:
                time.sleep(options.calm_s)
                fault = faults[len(strikes) % len(faults)]
                subject = chance.choice(subjects)
                strikes.append(_struck(fault, server, subject, right, chance))
                progress(_line(strikes[-1]))
            time.sleep(options.calm_s)
        after = server.facts()
    return ChaosReport(
        minutes=options.minutes,
        counts=load.counts,
        strikes=strikes,
        before=before,
        after=after,
    )


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


def _struck(
    fault: Fault,
    server: ServingProcess,
    subject: ChaosSubject,
    right: RightAnswers,
    chance: random.Random,
) -> Strike:
    builds = right[subject.name]
    row = chance.randrange(len(builds[0]))
    target = StruckPipeline(
        url=server.url,
        server_pid=server.server_pid,
        subject=subject,
        solo=[build[row] for build in builds],
    )
    struck_at = time.monotonic()
    done = fault.strike(target, chance)
    back_s = time.monotonic() - struck_at if comes_back(target) else None
    return Strike(
        fault=fault.name,
        pipeline=subject.name,
        hurts=fault.hurts,
        done=done,
        struck_at=struck_at,
        back_s=back_s,
    )


def _line(strike: Strike) -> str:
    back = "never back" if strike.back_s is None else f"back after {strike.back_s:.1f} s"
    return f"{strike.fault}: {strike.pipeline}, {strike.done}; {back}"
