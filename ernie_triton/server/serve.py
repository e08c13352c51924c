"""Run the embedded server in the foreground until Ctrl-C: `ernie-triton serve`."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ernie_triton.errors import ErnieTritonError, ServerError
from ernie_triton.log_settings import LogSettings
from ernie_triton.server.access_options import add_access_options, key_of_clients, tls_files
from ernie_triton.server.builds.exchanging import exchangeable
from ernie_triton.server.builds.remote import LocalRepository, local_repository
from ernie_triton.server.check_processor import OTHER_PROCESSOR, answers_here, check_processor
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions
from ernie_triton.server.supervision.supervision_options import (
    add_supervision_options,
    finish_requests,
)
from ernie_triton.server.telemetry.event_log import EventLog
from ernie_triton.server.telemetry.metrics import SupervisorMetrics
from ernie_triton.server.telemetry.metrics_endpoint import MetricsEndpoint, Sources
from ernie_triton.server.telemetry.watching_options import (
    add_watching_options,
    log_settings,
    tracing,
)
from ernie_triton.stage_names import without_stages

_POLL_S = 0.2
_HTTP_WARNING = (
    "warning: one small request to the HTTP port can crash tritonserver 2.51 or exhaust its "
    "memory; let no stranger reach it, and prefer gRPC"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = "Serve a model repository with the tritonserver of the pip install."
    defaults = ServerOptions(repository=Path())
    parser.add_argument(
        "--repository",
        required=True,
        metavar="DIR",
        help="the model repository: a folder, or an address such as s3://bucket/models",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="load this ensemble and its stages alone (repeatable; default: everything)",
    )
    parser.add_argument(
        "--host",
        default=defaults.host,
        help="address to bind gRPC to (default %(default)s)",
    )
    parser.add_argument(
        "--metrics-host",
        default=defaults.metrics_host,
        help="address to bind the port of metrics to (default %(default)s)",
    )
    for name, default in (("grpc", defaults.grpc_port), ("metrics", defaults.metrics_port)):
        parser.add_argument(
            f"--{name}-port",
            type=int,
            default=default,
            help=f"port of {name}, 0 for a free one (default {default})",
        )
    parser.add_argument(
        "--http-port",
        type=int,
        help="port of HTTP, 0 for a free one (default: no HTTP, one small request can crash it)",
    )
    parser.add_argument(
        "--http-host",
        default=defaults.http_host,
        help="address to bind the port of HTTP to (default %(default)s)",
    )
    parser.add_argument(
        "--startup-timeout",
        type=float,
        default=defaults.startup_timeout_s,
        help="seconds that loading may take (default %(default)g)",
    )
    parser.add_argument(
        "--other-processor",
        choices=OTHER_PROCESSOR,
        default=OTHER_PROCESSOR[0],
        help="for INT8 and BF16 engines built on a processor with other instruction sets: check "
        "that they answer the same here, or refuse them (default %(default)s)",
    )
    add_supervision_options(parser)
    parser.add_argument(
        "--watch",
        action="store_true",
        help="take in new builds of the repository by themselves, as `reload` does",
    )
    add_access_options(parser)
    parser.add_argument("--verbose", action="store_true", help="print the server's whole log")
    add_watching_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    settings = log_settings(arguments)
    with local_repository(arguments.repository) as repository:
        return _serve(repository, arguments, settings)


def _serve(
    repository: LocalRepository, arguments: argparse.Namespace, settings: LogSettings
) -> int:
    options = _options(repository.folder, arguments, settings)
    events = EventLog(settings, file=arguments.log_file, verbose=arguments.verbose)
    _let_signals_stop()
    metrics = SupervisorMetrics()

    def say(line: str) -> None:
        events.event("stage", line, message=line)

    try:
        if not answers_here(options.repository, options.models, arguments.other_processor):
            return 1
        with EmbeddedServer(options, log=events.server_line, say=say, metrics=metrics) as server:
            events.server_ready()
            for model in server.builds.unverified:
                text = f"unverified: {model}, no build of ernie-triton made it"
                events.event("unverified", text, model=model)
            models = server.models()
            if not models:
                raise ServerError(
                    f"{arguments.repository} has no models; "
                    f"build one with: ernie-triton build CHECKPOINT"
                )
            if server.http_port is not None:
                print(_HTTP_WARNING, file=sys.stderr, flush=True)
            with (
                _opened_endpoint(server, metrics, arguments) as own_address,
                _exchanging(server, repository, events, metrics, arguments),
            ):
                print(_ready_line(server, models, own_address), flush=True)
                events.event("ready", url=server.url, models=sorted(models))
                metrics.set_ready(True)
                _watch(server, events, metrics, arguments.drain_timeout)
    except KeyboardInterrupt:
        events.event("stopped", "stopped")
        return 0
    except ErnieTritonError as error:
        events.event("failed", error=str(error))
        raise
    finally:
        events.close()


@contextmanager
def _exchanging(
    server: EmbeddedServer,
    repository: LocalRepository,
    events: EventLog,
    metrics: SupervisorMetrics,
    arguments: argparse.Namespace,
) -> Iterator[None]:
    """Take commands for the server's builds, and new builds if wanted."""

    def check(name: str) -> None:
        check_processor(repository.folder, name, arguments.other_processor)

    with exchangeable(
        server.live_builds,
        server.grpc_port,
        events,
        metrics,
        check=check,
        fetch=repository.fetch,
        takes_new=arguments.watch,
    ):
        yield


@contextmanager
def _opened_endpoint(
    server: EmbeddedServer, metrics: SupervisorMetrics, arguments: argparse.Namespace
) -> Iterator[str]:
    """The address of this command's own metrics while they are open; empty if not asked for."""
    counts = server.counts_folder
    if arguments.supervisor_port is None or counts is None:
        yield ""
        return
    host, port = arguments.supervisor_host, arguments.supervisor_port
    sources = Sources(events=metrics, counts=counts, triton_url=server.metrics_url)
    with MetricsEndpoint(sources, host=host, port=port) as endpoint:
        yield f"{host}:{endpoint.port}"


def _options(
    repository: Path, arguments: argparse.Namespace, settings: LogSettings
) -> ServerOptions:
    return ServerOptions(
        repository=repository,
        models=tuple(arguments.model),
        host=arguments.host,
        http_port=arguments.http_port,
        http_host=arguments.http_host,
        metrics_host=arguments.metrics_host,
        grpc_port=arguments.grpc_port,
        metrics_port=arguments.metrics_port,
        startup_timeout_s=arguments.startup_timeout,
        log=settings,
        tracing=tracing(arguments),
        tls=tls_files(arguments),
        client_key=key_of_clients(arguments),
        counts_requests=arguments.supervisor_port is not None,
        stage_timeout_s=arguments.stage_timeout,
    )


def _let_signals_stop() -> None:
    """Turn the first two signals that ask for an end into KeyboardInterrupt, and ignore others."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    stops = 0

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stops
        stops += 1
        if stops <= 2:
            raise KeyboardInterrupt

    for number in signals:
        # `nohup` means that the end of the terminal is to be ignored.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)


def _watch(
    server: EmbeddedServer, events: EventLog, metrics: SupervisorMetrics, drain_timeout_s: float
) -> NoReturn:
    """Watch the server until a signal, then let the requests in flight finish.

    Raises:
        KeyboardInterrupt: the signal, once they have.
    """
    try:
        while True:
            server.watch(_POLL_S)
    except KeyboardInterrupt:
        events.server_stops()
        metrics.set_ready(False)
        with contextlib.suppress(ServerError):  # it has ended by itself
            finish_requests(server.drain, drain_timeout_s, events)
        raise


def _ready_line(server: EmbeddedServer, models: Sequence[str], own_address: str) -> str:
    options = server.options
    metrics = f"{options.metrics_host}:{server.metrics_port}/metrics"
    if own_address:
        metrics += f", supervisor {own_address}/metrics"
    http = "" if server.http_port is None else f"HTTP {options.http_host}:{server.http_port}, "
    pipelines = ", ".join(without_stages(models))
    return f"ready: gRPC {server.url}, {http}metrics {metrics}; models: {pipelines}"
