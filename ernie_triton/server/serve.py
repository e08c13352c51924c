"""Run the embedded server in the foreground until Ctrl-C: `ernie-triton serve`."""

import argparse
import contextlib
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ernie_triton.errors import ErnieTritonError, ServerError, UsageError
from ernie_triton.log_settings import LogSettings
from ernie_triton.server.builds.answering import BuildWatch, answer_command
from ernie_triton.server.builds.control_socket import ControlSocket
from ernie_triton.server.check_processor import OTHER_PROCESSOR, answers_here
from ernie_triton.server.embedded import EmbeddedServer, ServerOptions
from ernie_triton.server.event_log import EventLog
from ernie_triton.server.metrics import SupervisorMetrics
from ernie_triton.server.metrics_endpoint import MetricsEndpoint, Sources
from ernie_triton.server.supervision import DRAIN_TIMEOUT_S
from ernie_triton.server.tls_front import TlsFiles
from ernie_triton.server.watching_options import add_watching_options, log_settings, tracing

_POLL_S = 0.2
_HTTP_WARNING = (
    "warning: one small request to the HTTP port can crash tritonserver 2.51 or exhaust its "
    "memory; let no stranger reach it, and prefer gRPC"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = "Serve a model repository with the tritonserver of the pip install."
    defaults = ServerOptions(repository=Path())
    parser.add_argument("--repository", type=Path, required=True, help="the model repository")
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
    parser.add_argument(
        "--drain-timeout",
        type=float,
        default=DRAIN_TIMEOUT_S,
        metavar="SECONDS",
        help="time for requests in flight after a stop (default %(default)g)",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="take in new builds of the repository by themselves, as `reload` does",
    )
    _add_security_options(parser)
    parser.add_argument("--verbose", action="store_true", help="print the server's whole log")
    add_watching_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    settings = log_settings(arguments)
    options = _options(arguments, settings)
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
                    f"{options.repository} has no models; "
                    f"build one with: ernie-triton build CHECKPOINT"
                )
            if server.http_port is not None:
                print(_HTTP_WARNING, file=sys.stderr, flush=True)
            with (
                _opened_endpoint(server, metrics, arguments) as own_address,
                _exchanging(server, events, metrics, arguments),
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
    events: EventLog,
    metrics: SupervisorMetrics,
    arguments: argparse.Namespace,
) -> Iterator[None]:
    """Take commands for the server's builds, and new builds if wanted."""

    def say(line: str) -> None:
        events.event("builds", line, message=line)

    def check(name: str) -> None:
        if not answers_here(arguments.repository, (name,), arguments.other_processor):
            raise ServerError(f"the build of {name} is for another processor; build it here")

    builds = server.live_builds
    builds.check, builds.count = check, metrics.pipeline_reloaded
    with ControlSocket(server.grpc_port, partial(answer_command, builds, say)):
        watch = BuildWatch(builds, say, takes_new=arguments.watch)
        try:
            yield
        finally:
            watch.stop()


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


def _options(arguments: argparse.Namespace, settings: LogSettings) -> ServerOptions:
    return ServerOptions(
        repository=arguments.repository,
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
        tls=_tls_files(arguments),
        client_key=_client_key(arguments.api_key_file),
        counts_requests=arguments.supervisor_port is not None,
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
            if busy := server.drain(drain_timeout_s):
                text = f"requests to {', '.join(busy)} had no answer after {drain_timeout_s:g} s"
                events.event("unanswered", text, models=busy)
        raise


def _ready_line(server: EmbeddedServer, models: Sequence[str], own_address: str) -> str:
    options = server.options
    metrics = f"{options.metrics_host}:{server.metrics_port}/metrics"
    if own_address:
        metrics += f", supervisor {own_address}/metrics"
    http = "" if server.http_port is None else f"HTTP {options.http_host}:{server.http_port}, "
    return f"ready: gRPC {server.url}, {http}metrics {metrics}; models: {', '.join(models)}"


def _add_security_options(parser: argparse.ArgumentParser) -> None:
    security = parser.add_argument_group("who may use gRPC")
    for option, help_text in (
        (
            "--tls-cert",
            "the server's certificate; encrypts gRPC, and is read again when it changes",
        ),
        ("--tls-key", "private key of that certificate"),
        ("--client-ca", "authority of the clients' certificates; clients must have one then"),
    ):
        security.add_argument(option, type=Path, metavar="PEM", help=help_text)
    security.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help="file with a key that clients must send"
    )


def _tls_files(arguments: argparse.Namespace) -> TlsFiles | None:
    certificate, key, client_ca = arguments.tls_cert, arguments.tls_key, arguments.client_ca
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise UsageError("TLS needs --tls-cert and --tls-key; give both")
    return TlsFiles(certificate=certificate, key=key, client_ca=client_ca)


def _client_key(path: Path | None) -> str:
    """The key in a file.

    Raises:
        UsageError: the file cannot be read, or its key cannot be sent.
    """
    if path is None:
        return ""
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--api-key-file {path} cannot be read: {error}") from error
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,}", key):
        raise UsageError(
            f"the key in {path} has {len(key)} characters; expected 16 or more of letters, digits, "
            f"'-' and '_', such as: openssl rand -hex 32"
        )
    return key
