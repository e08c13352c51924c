"""One worker process: an event loop that serves the shared port until it is told to stop."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ernie_triton.errors import ErnieTritonError, ServerError
from ernie_triton.gateway.app import Gateway, Parts
from ernie_triton.gateway.endpoints.table import ENDPOINTS
from ernie_triton.gateway.guard.guard import ByKey, Guard
from ernie_triton.gateway.guard.keys import KeyRing
from ernie_triton.gateway.guard.limits import KeyLimits
from ernie_triton.gateway.openapi import openapi_view
from ernie_triton.gateway.pipelines import Pipelines
from ernie_triton.gateway.serving.bounded_protocol import protocol_with_bounds
from ernie_triton.gateway.serving.renewed_tls import RenewedTls
from ernie_triton.gateway.settings import GatewaySettings
from ernie_triton.gateway.spans import Spans
from ernie_triton.gateway.views import PathView, page_views, pipeline_views
from ernie_triton.gateway.watching import Watching
from ernie_triton.server.telemetry.event_log import EventLog

BACKLOG = 2048
"""Connections that may wait to be taken."""

_ACCEPTED_AT_ONCE = 1
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFiles:
    """Files that the workers of a gateway share.

    Attributes:
        limits: the table of the keys' limits.
        metrics: the folder of the metrics.
    """

    limits: Path
    metrics: Path


def run_worker(
    settings: GatewaySettings, shared: SharedFiles, number: int, sockets: list[socket.socket]
) -> None:
    """Serve until SIGTERM or SIGINT, or until the parent process has gone.

    Raises:
        SystemExit: 1 after one line, where the gateway cannot start.
    """
    try:
        _run(settings, shared, number, sockets)
    except ErnieTritonError as error:
        sys.exit(f"error: worker {number}: {error}")


def _run(
    settings: GatewaySettings, shared: SharedFiles, number: int, sockets: list[socket.socket]
) -> None:
    _open_many_files()
    os.environ[_METRICS_FOLDER] = str(shared.metrics)
    from ernie_triton.gateway.metrics import GatewayMetrics  # after the variable is set

    log = EventLog(settings.log)
    watching = Watching(settings.log, log, GatewayMetrics())
    parts = make_parts(settings, watching, shared.limits, number)
    tls = RenewedTls(settings.tls) if settings.tls else None
    server = _FairServer(uvicorn_config(Gateway(parts), settings, tls))
    asyncio.run(_serve(server, sockets, tls))


def make_parts(settings: GatewaySettings, watching: Watching, limits: Path, number: int) -> Parts:
    """The parts of one worker's gateway.

    Raises:
        UsageError: the file of the keys cannot be read.
    """
    pipelines = Pipelines(settings.servers)
    by_key = None
    if settings.keys is not None:
        ring = KeyRing(settings.keys, lambda line: watching.log.event("keys_kept", line))
        by_key = ByKey(ring=ring, limits=KeyLimits(limits, number))
    views: Mapping[str, PathView] = {
        **pipeline_views(pipelines),
        **page_views(),
    }
    return Parts(
        pipelines=pipelines,
        guard=Guard(settings.bounds.in_flight, by_key),
        endpoints=ENDPOINTS,
        views={**views, "/openapi.json": openapi_view(ENDPOINTS, views)},
        watching=watching,
        bounds=settings.bounds,
        connection_bounds=settings.connection_bounds,
        check_s=settings.check_s,
        spans=Spans(settings.tracing) if settings.tracing else None,
    )


def uvicorn_config(
    gateway: Gateway, settings: GatewaySettings, tls: RenewedTls | None = None
) -> uvicorn.Config:
    """The configuration of uvicorn: HTTP/1.1 alone, its own log off."""
    return uvicorn.Config(
        gateway,
        http=protocol_with_bounds(settings.connection_bounds),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_ACCEPTED_AT_ONCE,
        timeout_keep_alive=int(settings.connection_bounds.idle_s),
        timeout_graceful_shutdown=int(settings.drain_s),
        ssl_context_factory=(lambda _config, _default: tls.context) if tls else None,
    )


class _FairServer(uvicorn.Server):
    """Takes connections one by one, so that workers that share a port get as many each.

    asyncio takes as many at once as may wait in line, which is another number: it is set back.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve the sockets."""
        await super().startup(sockets)
        for one in sockets or ():
            one.listen(BACKLOG)


async def _serve(
    server: uvicorn.Server, sockets: list[socket.socket], tls: RenewedTls | None
) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop = asyncio.get_running_loop()
        loop.add_reader(parent.sentinel, _stop, server, loop, parent.sentinel)
    renewing = asyncio.ensure_future(tls.watch()) if tls else None
    try:
        await server.serve(sockets)
    finally:
        if renewing is not None:
            renewing.cancel()


def _stop(server: uvicorn.Server, loop: asyncio.AbstractEventLoop, sentinel: int) -> None:
    loop.remove_reader(sentinel)
    server.should_exit = True


def _open_many_files() -> None:
    """Let the process have as many connections as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError) as error:
        raise ServerError(
            f"the limit of open files cannot be set to {most} ({error}); set it with ulimit -n"
        ) from error
