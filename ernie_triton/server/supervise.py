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
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ernie_triton.errors import ServerError, UsageError
from ernie_triton.log_settings import LogSettings
from ernie_triton.processes.child_process import run_child
from ernie_triton.request_counts import COUNTS_FOLDER
from ernie_triton.server.access_options import add_access_options, key_of_clients, tls_files
from ernie_triton.server.builds.snapshots import TakenBuilds, taken_builds
from ernie_triton.server.builds.verification import RepositoryState, check_repository
from ernie_triton.server.check_processor import OTHER_PROCESSOR, answers_here, check_processor
from ernie_triton.server.control import Control, client_key_options, new_key
from ernie_triton.server.server_command import ServerCommand
from ernie_triton.server.supervised_run import SupervisedRun, Watched, run_supervised
from ernie_triton.server.supervision.stuck_stages import StuckStages
from ernie_triton.server.supervision.supervision_options import add_supervision_options
from ernie_triton.server.telemetry.event_log import EventLog
from ernie_triton.server.telemetry.metrics import SupervisorMetrics
from ernie_triton.server.telemetry.metrics_endpoint import MetricsEndpoint, Sources
from ernie_triton.server.telemetry.watching_options import (
    add_watching_options,
    log_settings,
    tracing,
)
from ernie_triton.server.tls_front import TlsFront

KEY_PLACEHOLDER = "%ADMIN_KEY%"


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
    add_supervision_options(parser)
    parser.add_argument(
        "--snapshots",
        type=Path,
        metavar="DIR",
        help="copy the builds to this folder and serve the copies, so that `reload`, `rollback` "
        "and `builds` work (default: serve the repository itself, and refuse these commands)",
    )
    add_access_options(parser)
    parser.add_argument(
        "--inner-port",
        type=int,
        default=8009,
        metavar="PORT",
        help="with TLS, where Triton itself answers unencrypted, on 127.0.0.1 alone, as the "
        "health check needs it (default %(default)s)",
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
        UsageError: there is no command, or options contradict each other.
        RepositoryError: a pipeline is damaged, or mixed of two builds; nothing was started.
        ServerError: a certificate, a port or a folder cannot be used.
    """
    if not arguments.command:
        raise UsageError("name the server's command, such as: tritonserver --model-repository=DIR")
    command = ServerCommand(tuple(arguments.command))
    choice = os.environ.get("OTHER_PROCESSOR") or OTHER_PROCESSOR[0]
    if code := _check_plans():
        return code
    key = os.environ.pop("TRITON_ADMIN_KEY", "") or new_key()
    client_key = key_of_clients(arguments)
    with contextlib.ExitStack() as opened:
        builds = opened.enter_context(_verified_builds(command, arguments.snapshots))
        if not _answer_here(command, choice):
            return 1
        port, folders = command.grpc_address[1], command.folders
        if builds is not None:
            command = command.with_options([f"--model-repository={builds.view.models}"])
        command = command.replaced(KEY_PLACEHOLDER, key)
        if client_key:
            command = command.with_more(client_key_options(client_key))
        command, front = _behind_tls(command, arguments)
        if front is not None:
            opened.callback(front.stop)
        if traces := tracing(arguments):
            command = command.with_more(traces.server_options())
        watched = opened.enter_context(_watched(arguments, command))

        def check(name: str) -> None:
            if _check_plans():
                raise ServerError("a plan does not fit here; the server's log says why")
            for folder in folders:
                check_processor(folder, name, choice)

        control = Control(f"127.0.0.1:{command.grpc_address[1]}", key, client_key)
        opened.callback(control.close)
        run_of = SupervisedRun(
            command=command,
            control=control,
            keys=(key, client_key),
            watched=watched,
            drain_timeout_s=arguments.drain_timeout,
            public_port=port,
            builds=builds,
            front=front,
            check=check,
        )
        try:
            return run_supervised(run_of)
        except OSError as error:
            print(f"error: {command.program} cannot be run: {error}", file=sys.stderr)
            return 1


@contextlib.contextmanager
def _watched(arguments: argparse.Namespace, command: ServerCommand) -> Iterator[Watched]:
    """The server's log and counts, with an open endpoint of metrics if one is asked for."""
    settings = log_settings(arguments)
    metrics = SupervisorMetrics()
    events = EventLog(settings, file=arguments.log_file, verbose=True)
    with contextlib.ExitStack() as opened:
        opened.callback(events.close)
        counts = stuck = None
        if arguments.supervisor_port is not None or arguments.stage_timeout > 0:
            folder = tempfile.TemporaryDirectory(prefix="ernie-triton-counts-")
            counts = Path(opened.enter_context(folder))
        if counts is not None and arguments.stage_timeout > 0:
            stuck = StuckStages(counts, arguments.stage_timeout)
        if counts is not None and arguments.supervisor_port is not None:
            sources = Sources(events=metrics, counts=counts, triton_url=command.metrics_url)
            host, port = arguments.supervisor_host, arguments.supervisor_port
            opened.enter_context(MetricsEndpoint(sources, host=host, port=port))
        places = {COUNTS_FOLDER: str(counts) if counts else ""}
        yield Watched(
            events=events,
            metrics=metrics,
            environment={**os.environ, **settings.to_environment(), **places},
            stuck=stuck,
            reads_output=settings != LogSettings() or arguments.log_file is not None,
        )


def _check_plans() -> int:
    """Check the plans of the environment's repository; the code to end with, 0 to go on."""
    plans = os.environ.get("CHECK_PLANS", "")
    if not plans:
        return 0
    check = [sys.executable, "-m", "ernie_triton", "check-plans", "--repository", plans]
    return run_child(check).returncode


@contextlib.contextmanager
def _verified_builds(
    command: ServerCommand, snapshots: Path | None
) -> Iterator[TakenBuilds | None]:
    """Verify the pipelines that a command loads from folders; take snapshots if that is wanted."""
    for place in command.repositories:
        if not Path(place).is_dir():
            print(f"unverified: {place}, it is no folder here", file=sys.stderr, flush=True)
    if snapshots is None:
        for folder in command.folders:
            _tell_unverified(check_repository(folder, command.models))
        yield None
        return
    if len(command.repositories) != 1 or not command.folders:
        raise UsageError(
            f"--snapshots needs one --model-repository=DIR, and the command has "
            f"{', '.join(command.repositories) or 'none'}"
        )
    with taken_builds(command.folders[0], command.models, snapshots) as builds:
        _tell_unverified(builds.state)
        yield builds


def _tell_unverified(state: RepositoryState) -> None:
    for model in state.unverified:
        print(f"unverified: {model}, no build of ernie-triton made it", file=sys.stderr)


def _answer_here(command: ServerCommand, choice: str) -> bool:
    """Check the engines of other processors that a server's command loads, see `answers_here`."""
    if choice not in OTHER_PROCESSOR:
        raise UsageError(f"OTHER_PROCESSOR is {choice!r}; expected {' or '.join(OTHER_PROCESSOR)}")
    return all(answers_here(folder, command.models, choice) for folder in command.folders)


def _behind_tls(
    command: ServerCommand, arguments: argparse.Namespace
) -> tuple[ServerCommand, TlsFront | None]:
    """The command with gRPC on this machine alone, and what decrypts for it, if that is wanted."""
    files = tls_files(arguments)
    if files is None:
        return command, None
    inner = ("127.0.0.1", arguments.inner_port)
    front = TlsFront(files, command.grpc_address, inner)
    options = [f"--grpc-address={inner[0]}", f"--grpc-port={inner[1]}"]
    return command.with_options(options), front
