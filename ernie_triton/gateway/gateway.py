"""Serve HTTP with JSON before Triton servers until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path

from ernie_triton.client.addresses import host_of, is_name_of_many
from ernie_triton.client.security_options import add_security_options, connection_from_namespace
from ernie_triton.client.wire import Endpoint
from ernie_triton.errors import UsageError
from ernie_triton.gateway.guard.keys import named_keys
from ernie_triton.gateway.guard.limits import MOST_WORKERS
from ernie_triton.gateway.serving.metrics_port import metrics_port
from ernie_triton.gateway.serving.supervisor import (
    GatewayProcesses,
    shared_files,
    stopped_by_signals,
)
from ernie_triton.gateway.settings import (
    MEBIBYTE,
    ConnectionBounds,
    GatewaySettings,
    RequestBounds,
)
from ernie_triton.log_settings import LOG_FORMATS, LOGGED_REQUESTS, LogSettings, default_requests
from ernie_triton.server.telemetry.watching_options import add_tracing_options, tracing
from ernie_triton.server.tls_front import TlsFiles

_DEFAULTS = GatewaySettings(servers=())
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = "Serve HTTP with JSON before Triton servers, until Ctrl-C."
    servers = parser.add_argument_group("servers")
    servers.add_argument(
        "--url",
        action="append",
        metavar="HOST:PORT",
        help="gRPC of a Triton server; repeatable; dns:///HOST:PORT is every server of that name "
        "(default: localhost:8001)",
    )
    add_security_options(servers)
    servers.add_argument(
        "--check-every",
        type=float,
        default=_DEFAULTS.check_s,
        metavar="SECONDS",
        help="between two looks at the servers (default: %(default)s)",
    )
    _add_port_options(parser.add_argument_group("callers"))
    _add_bound_options(parser.add_argument_group("bounds"))
    watching = parser.add_argument_group("watching")
    watching.add_argument("--log-format", choices=LOG_FORMATS, default="text")
    watching.add_argument("--log-requests", choices=LOGGED_REQUESTS)
    add_tracing_options(watching)
    watching.add_argument(
        "--metrics-port",
        type=int,
        metavar="PORT",
        help="port of the metrics for Prometheus, 0 for a free one (default: none)",
    )
    watching.add_argument(
        "--metrics-host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to bind that port to (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal; return 0."""
    settings = settings_from_namespace(arguments)
    if settings.tls is not None:
        settings.tls.context()  # refused here, not in every worker
    if settings.keys is not None:
        named_keys(settings.keys)
    supervisor = GatewayProcesses(settings)
    scheme = "https" if settings.tls else "http"
    with contextlib.ExitStack() as serving:
        shared = serving.enter_context(shared_files())
        serving.enter_context(stopped_by_signals(supervisor))
        line = f"gateway at {scheme}://{settings.host}:{supervisor.port}/"
        if arguments.metrics_port is not None:
            port = metrics_port(arguments.metrics_host, arguments.metrics_port, shared.metrics)
            line += f", metrics http://{arguments.metrics_host}:{serving.enter_context(port)}/"
        print(f"{line}; process {os.getpid()}", flush=True)
        supervisor.run(shared)
    print("gateway stopped", file=sys.stderr)
    return 0


def settings_from_namespace(found: argparse.Namespace) -> GatewaySettings:
    """Read the options.

    Raises:
        UsageError: they contradict each other, or let strangers in without a word.
    """
    if not 1 <= found.workers <= MOST_WORKERS:
        raise UsageError(f"--workers is {found.workers}; expected 1 to {MOST_WORKERS}")
    if found.host not in _LOOPBACK and found.keys is None and not found.open_to_all:
        raise UsageError(
            f"--host {found.host} can be reached from other machines; name --keys, or let "
            "everybody in with --open-to-all"
        )
    if (found.tls_cert is None) != (found.tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together; name both")
    server = connection_from_namespace(found, Endpoint(url="", model=""))
    given = ",".join(found.url or ["localhost:8001"])
    urls = tuple(dict.fromkeys(url.strip() for url in given.split(",")))
    for url in filter(is_name_of_many, urls):
        host_of(url)  # refused here, not at every look
    tls = TlsFiles(certificate=found.tls_cert, key=found.tls_key) if found.tls_cert else None
    return GatewaySettings(
        servers=tuple(replace(server, endpoint=Endpoint(url=url, model="")) for url in urls),
        host=found.host,
        port=found.port,
        workers=found.workers,
        bounds=RequestBounds(
            body_bytes=int(found.max_body * MEBIBYTE),
            rows=found.max_rows,
            timeout_s=found.timeout,
            in_flight=found.max_in_flight,
        ),
        connection_bounds=ConnectionBounds(
            headers_s=found.header_timeout,
            body_s=found.body_timeout,
            unread_s=found.read_timeout,
            connections=found.max_connections,
        ),
        keys=found.keys,
        tls=tls,
        log=LogSettings(
            form=found.log_format,
            requests=found.log_requests or default_requests(found.log_format),
        ),
        tracing=tracing(found),
        drain_s=found.drain,
        check_s=found.check_every,
    )


def _add_port_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    group.add_argument(
        "--port", type=int, default=8080, help="port, 0 for a free one (default: %(default)s)"
    )
    group.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes (default: %(default)s)"
    )
    group.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="file of the API keys that callers need, made by `ernie-triton gateway-key`",
    )
    group.add_argument(
        "--open-to-all", action="store_true", help="let callers of other machines in without a key"
    )
    for option, text in (("--tls-cert", "certificate"), ("--tls-key", "its private key")):
        group.add_argument(
            option, type=_path, metavar="PEM", help=f"{text}, for HTTPS; empty for none"
        )


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _add_bound_options(group: argparse._ArgumentGroup) -> None:
    request, connection = RequestBounds(), ConnectionBounds()
    for option, kind, default, unit, text in (
        ("--max-body", float, request.body_bytes / MEBIBYTE, "MIB", "of a request's body"),
        ("--max-rows", int, request.rows, "N", "texts or pairs of a request"),
        ("--max-in-flight", int, request.in_flight, "N", "requests that a worker answers at once"),
        ("--max-connections", int, connection.connections, "N", "connections of a worker"),
        ("--timeout", float, request.timeout_s, "SECONDS", "until an answer; callers may ask less"),
        ("--header-timeout", float, connection.headers_s, "SECONDS", "for a request's headers"),
        ("--body-timeout", float, connection.body_s, "SECONDS", "for a request's body"),
        ("--read-timeout", float, connection.unread_s, "SECONDS", "that an answer stays unread"),
        ("--drain", float, _DEFAULTS.drain_s, "SECONDS", "for requests at the end"),
    ):
        group.add_argument(
            option, type=kind, default=default, metavar=unit, help=f"{text} (default: %(default)s)"
        )
