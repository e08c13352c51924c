"""Run one tritonserver command to its end: watch its stages, exchange its builds, let it finish."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType

from ernie_triton.errors import ServerError
from ernie_triton.processes.child_process import deferred_signals, start_child
from ernie_triton.server.builds.exchanging import exchangeable
from ernie_triton.server.builds.live import LiveBuilds
from ernie_triton.server.builds.snapshots import TakenBuilds
from ernie_triton.server.control import Control
from ernie_triton.server.hidden_keys import hide_keys
from ernie_triton.server.server_command import ServerCommand
from ernie_triton.server.supervision.given_up_stages import GivenUpStages
from ernie_triton.server.supervision.stuck_stages import StuckStages
from ernie_triton.server.supervision.supervision_options import finish_requests
from ernie_triton.server.supervision.supervisor import Supervisor
from ernie_triton.server.telemetry.event_log import EventLog
from ernie_triton.server.telemetry.metrics import SupervisorMetrics
from ernie_triton.server.tls_front import TlsFront

_POLL_S = 0.2
_CRASH_STOP_S = 5.0
"""Time for a server with a dead stage to answer the requests of others. Without this limit it
waits for the dead stage until its --exit-timeout-secs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Log and counts of the server.

    Attributes:
        events: the log.
        metrics: counts of what is seen and done.
        environment: of the server and its stages.
        stuck: finds stages that compute without end, where that is wanted.
        reads_output: whether the log takes the server's output, which otherwise goes its own way.
    """

    events: EventLog
    metrics: SupervisorMetrics
    environment: Mapping[str, str]
    stuck: StuckStages | None
    reads_output: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisedRun:
    """The needs of one run of the server.

    Attributes:
        command: of the server.
        control: loads and unloads its models.
        keys: in the command, to be hidden once it is read.
        watched: log and counts.
        drain_timeout_s: for requests in flight after a stop.
        public_port: of gRPC, by which commands name the server.
        builds: that can be exchanged, if any can.
        front: decrypts connections, if they are encrypted.
        check: raises ServerError where the repository's build of a pipeline is not for here.
    """

    command: ServerCommand
    control: Control
    keys: tuple[str, ...]
    watched: Watched
    drain_timeout_s: float
    public_port: int
    builds: TakenBuilds | None
    front: TlsFront | None
    check: Callable[[str], None]


def run_supervised(run_of: SupervisedRun) -> int:
    """Run the server until it ends or a signal comes.

    Returns:
        0 when stopped by a signal, its code or 1 when it failed.

    Raises:
        OSError: the program is not there or may not be run.
    """
    stopping = threading.Event()
    watched = run_of.watched

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():  # a second signal does not wait for requests in flight
            process.terminate()
        stopping.set()

    with deferred_signals():
        process = start_child(
            run_of.command.parts,
            env=watched.environment,
            stdout=subprocess.PIPE if watched.reads_output else None,
            stderr=subprocess.STDOUT if watched.reads_output else None,
            new_session=True,
        )
    reader = _start_reader(process, watched.events)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        with contextlib.ExitStack() as opened:
            supervisor = _watch(process, run_of, stopping, opened)
        watched.metrics.set_ready(False)
        if process.poll() is None and supervisor is not None:
            _drain(supervisor, run_of.drain_timeout_s, watched.events)
        process.terminate()
        code = process.wait()
        # A server that ends by itself has failed, whatever its code.
        return 0 if stopping.is_set() else max(code, 1)
    except ServerError as error:
        watched.events.event("failed", f"error: {error}", error=str(error))
        watched.metrics.set_ready(False)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_CRASH_STOP_S)
        return 1
    finally:
        # The stages are of the server's process group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if reader is not None:
            reader.join(_CRASH_STOP_S)


def _start_reader(process: "subprocess.Popen[bytes]", events: EventLog) -> threading.Thread | None:
    """Start the thread that gives the server's output to the log, if that is read."""
    if process.stdout is None:
        return None
    reader = threading.Thread(target=events.follow, args=(process.stdout,), daemon=True)
    reader.start()
    return reader


def _watch(
    process: "subprocess.Popen[bytes]",
    run_of: SupervisedRun,
    stopping: threading.Event,
    opened: contextlib.ExitStack,
) -> Supervisor | None:
    """Watch the server until it ends or a signal asks for its end.

    Args:
        process: of the server.
        run_of: its parts.
        stopping: is set by a signal.
        opened: takes what is open while the server is ready.

    Returns:
        The supervisor of its stages; None where the server was not ready yet.

    Raises:
        ServerError: a stage ends again and again, or cannot be brought back.
    """
    supervisor = None
    events, metrics = run_of.watched.events, run_of.watched.metrics

    def say(line: str) -> None:
        events.event("stage", line, message=line)

    while not stopping.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
            break
        if supervisor is not None:
            supervisor.check()
        elif run_of.control.ready():  # while models load, Triton starts and ends stages itself
            hide_keys(process.pid, run_of.keys)
            given_up = GivenUpStages(run_of.command.metrics_url)
            stuck = run_of.watched.stuck
            supervisor = Supervisor(
                process.pid, run_of.control, say, metrics, stuck=stuck, given_up=given_up
            )
            opened.enter_context(_exchangeable(run_of, supervisor))
            if run_of.front is not None:
                run_of.front.start()
            text = f"ready: watching the processes of {supervisor.stages} stages"
            events.event("ready", text, stages=supervisor.stages)
            metrics.set_ready(True)
    return supervisor


@contextlib.contextmanager
def _exchangeable(run_of: SupervisedRun, supervisor: Supervisor) -> Iterator[None]:
    """Take commands for the builds, where there are snapshots of them."""
    if run_of.builds is None:
        yield
        return
    repository = run_of.builds.repository
    live = LiveBuilds(
        repository,
        run_of.builds.view,
        run_of.builds.served,
        run_of.control,
        turn=supervisor.turn,
    )
    watched = run_of.watched
    port = run_of.public_port
    with exchangeable(live, port, watched.events, watched.metrics, check=run_of.check):
        yield


def _drain(supervisor: Supervisor, timeout_s: float, events: EventLog) -> None:
    try:
        finish_requests(supervisor.drain, timeout_s, events)
    except ServerError as error:  # it has no open model control
        text = f"warning: requests in flight may fail: {error}"
        events.event("undrained", text, error=str(error))
