"""Run tritonserver as a container's first process: bring back its stages, stop it without loss.

A stage that ends again and again ends the server; Docker restarts only containers that end. Its
environment:

CHECK_PLANS       a model repository whose TensorRT plans must fit this server and GPU
OTHER_PROCESSOR   `refuse` refuses INT8 and BF16 engines that were built on a processor with other
                  instruction sets; `check`, the default, checks that they answer the same here
TRITON_ADMIN_KEY  replaces `%ADMIN_KEY%` in the command; a random one when absent
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ernie_triton.child_process import deferred_signals, run_child, start_child
from ernie_triton.errors import ServerError, UsageError
from ernie_triton.log_settings import LogSettings
from ernie_triton.request_counts import COUNTS_FOLDER
from ernie_triton.server.builds.verification import check_repository
from ernie_triton.server.check_processor import OTHER_PROCESSOR, answers_here
from ernie_triton.server.control import Control, new_key
from ernie_triton.server.event_log import EventLog
from ernie_triton.server.metrics import SupervisorMetrics
from ernie_triton.server.metrics_endpoint import MetricsEndpoint, Sources
from ernie_triton.server.supervision import DRAIN_TIMEOUT_S, Supervisor
from ernie_triton.server.watching_options import add_watching_options, log_settings, tracing

KEY_PLACEHOLDER = "%ADMIN_KEY%"
_POLL_S = 0.2
_CRASH_STOP_S = 5.0
"""Time for a server with a dead stage to answer the requests of others. Without this limit it
waits for the dead stage until its --exit-timeout-secs."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Run a tritonserver command. Stages that end are brought back; a stop waits for requests "
        "in flight."
    )
    parser.epilog = (
        "Environment: CHECK_PLANS names a model repository whose TensorRT plans are checked "
        "first; OTHER_PROCESSOR=refuse refuses INT8 and BF16 engines that were built on a "
        "processor with other instruction sets (default: check them); TRITON_ADMIN_KEY replaces "
        "%%ADMIN_KEY%% in the command (default: a random key)."
    )
    parser.add_argument(
        "--drain-timeout",
        type=float,
        default=DRAIN_TIMEOUT_S,
        metavar="SECONDS",
        help="time for requests in flight after a stop (default %(default)g)",
    )
    add_watching_options(parser)
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="tritonserver and its options"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the server.

    Returns:
        0 when stopped by a signal, its code or 1 when it failed.

    Raises:
        UsageError: there is no command.
        RepositoryError: a pipeline is damaged, or mixed of two builds; nothing was started.
    """
    command: list[str] = arguments.command
    if not command:
        raise UsageError("name the server's command, such as: tritonserver --model-repository=DIR")
    plans = os.environ.get("CHECK_PLANS", "")
    if plans:
        check = [sys.executable, "-m", "ernie_triton", "check-plans", "--repository", plans]
        code = run_child(check).returncode
        if code:
            return code
    _verify(command)
    if not _answer_here(command, os.environ.get("OTHER_PROCESSOR") or OTHER_PROCESSOR[0]):
        return 1
    key = os.environ.pop("TRITON_ADMIN_KEY", "") or new_key()
    try:
        command = [part.replace(KEY_PLACEHOLDER, key) for part in command]
        if traces := tracing(arguments):
            command += traces.server_options()
        with _watched(arguments, command) as watched:
            return _supervise(command, key, arguments.drain_timeout, watched)
    except OSError as error:
        print(f"error: {command[0]} cannot be run: {error}", file=sys.stderr)
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """Log and counts of the server.

    Attributes:
        events: the log.
        metrics: counts of what is seen and done.
        environment: of the server and its stages.
        reads_output: whether the log takes the server's output, which otherwise goes its own way.
    """

    events: EventLog
    metrics: SupervisorMetrics
    environment: Mapping[str, str]
    reads_output: bool


@contextlib.contextmanager
def _watched(arguments: argparse.Namespace, command: Sequence[str]) -> Iterator[_Watched]:
    """The server's log and counts, with an open endpoint of metrics if one is asked for."""
    settings = log_settings(arguments)
    metrics = SupervisorMetrics()
    events = EventLog(settings, file=arguments.log_file, verbose=True)
    with contextlib.ExitStack() as opened:
        opened.callback(events.close)
        counts = ""
        if arguments.supervisor_port is not None:
            prefix = "ernie-triton-counts-"
            counts = opened.enter_context(tempfile.TemporaryDirectory(prefix=prefix))
            triton_url = f"http://127.0.0.1:{_option(command, '--metrics-port', '8002')}/metrics"
            sources = Sources(events=metrics, counts=Path(counts), triton_url=triton_url)
            host, port = arguments.supervisor_host, arguments.supervisor_port
            opened.enter_context(MetricsEndpoint(sources, host=host, port=port))
        yield _Watched(
            events=events,
            metrics=metrics,
            environment={**os.environ, **settings.to_environment(), COUNTS_FOLDER: counts},
            reads_output=settings != LogSettings() or arguments.log_file is not None,
        )


def _verify(command: Sequence[str]) -> None:
    """Verify the pipelines that a server's command loads, where they are in folders."""
    models = _loaded_models(command)
    for place in _repositories(command):
        if not Path(place).is_dir():
            print(f"unverified: {place}, it is no folder here", file=sys.stderr, flush=True)
            continue
        state = check_repository(Path(place), models)
        for model in state.unverified:
            print(f"unverified: {model}, no build of ernie-triton made it", file=sys.stderr)


def _answer_here(command: Sequence[str], choice: str) -> bool:
    """Check the engines of other processors that a server's command loads, see `answers_here`."""
    if choice not in OTHER_PROCESSOR:
        raise UsageError(f"OTHER_PROCESSOR is {choice!r}; expected {' or '.join(OTHER_PROCESSOR)}")
    models = _loaded_models(command)
    folders = [Path(place) for place in _repositories(command)]
    return all(answers_here(folder, models, choice) for folder in folders if folder.is_dir())


def _repositories(command: Sequence[str]) -> list[str]:
    """The repositories that a server's command names: folders, or addresses such as `s3://…`."""
    options = [part.partition("=") for part in command]
    return [place for name, _, place in options if name == "--model-repository"]


def _loaded_models(command: Sequence[str]) -> list[str]:
    """The models that a server's command names; none for all of its repository."""
    models = [part.partition("=")[2] for part in command if part.startswith("--load-model=")]
    return [] if "*" in models else models


def _supervise(command: Sequence[str], key: str, drain_timeout_s: float, watched: _Watched) -> int:
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():  # a second signal does not wait for requests in flight
            process.terminate()
        stopping.set()

    with deferred_signals():
        process = start_child(
            command,
            env=watched.environment,
            stdout=subprocess.PIPE if watched.reads_output else None,
            stderr=subprocess.STDOUT if watched.reads_output else None,
            new_session=True,
        )
    reader = _start_reader(process, watched.events)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    control = Control(_grpc_url(command), key)
    try:
        supervisor = _watch(process, control, stopping, watched)
        watched.metrics.set_ready(False)
        if process.poll() is None and supervisor is not None:
            _drain(supervisor, drain_timeout_s, watched.events)
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
    control: Control,
    stopping: threading.Event,
    watched: _Watched,
) -> Supervisor | None:
    """Watch the server until it ends or a signal asks for its end.

    Returns:
        The supervisor of its stages; None where the server was not ready yet.

    Raises:
        ServerError: a stage ends again and again, or cannot be brought back.
    """
    supervisor = None
    events = watched.events

    def say(line: str) -> None:
        events.event("stage", line, message=line)

    while not stopping.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
            break
        if supervisor is not None:
            supervisor.check()
        elif control.ready():  # while models load, Triton starts and ends stages of its own accord
            supervisor = Supervisor(process.pid, control, say, watched.metrics)
            text = f"ready: watching the processes of {supervisor.stages} stages"
            events.event("ready", text, stages=supervisor.stages)
            watched.metrics.set_ready(True)
    return supervisor


def _drain(supervisor: Supervisor, timeout_s: float, events: EventLog) -> None:
    try:
        busy = supervisor.drain(timeout_s)
    except ServerError as error:  # it has no open model control
        text = f"warning: requests in flight may fail: {error}"
        events.event("undrained", text, error=str(error))
        return
    if busy:
        text = f"requests to {', '.join(busy)} had no answer after {timeout_s:g} s"
        events.event("unanswered", text, models=busy)


def _grpc_url(command: Sequence[str]) -> str:
    return f"127.0.0.1:{_option(command, '--grpc-port', '8001')}"


def _option(command: Sequence[str], name: str, default: str) -> str:
    """The value of an option of the server's command, as in `--name=value`."""
    options = dict(part.split("=", 1) for part in command if part.startswith("--") and "=" in part)
    return options.get(name, default)
