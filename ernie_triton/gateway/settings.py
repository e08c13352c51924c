"""Settings of a gateway, as they pass from its command to its worker processes."""

from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.client.transport import Connection
from ernie_triton.errors import UsageError
from ernie_triton.log_settings import LogSettings
from ernie_triton.server.telemetry.tracing import Tracing
from ernie_triton.server.tls_front import TlsFiles

MEBIBYTE = 1 << 20
LEAST_TIME_S = 0.001
"""The least time that a caller may give an answer, in seconds; less could only be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBounds:
    """Most that one request may take.

    Attributes:
        body_bytes: of a request's body.
        rows: texts, or pairs of texts, of a request.
        timeout_s: until the answer; a caller may ask for less.
        in_flight: requests that one worker answers at once.
    """

    body_bytes: int = 8 * MEBIBYTE
    rows: int = 2048
    timeout_s: float = 30.0
    in_flight: int = 256

    def __post_init__(self) -> None:
        for name in ("body_bytes", "rows", "timeout_s", "in_flight"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} is {getattr(self, name)}; expected more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBounds:
    """Most that one connection may take; a slower one is closed.

    Attributes:
        headers_s: until the last header of a request.
        body_s: from there until the last byte of its body.
        idle_s: between two requests.
        unread_s: that an answer may wait for its reader.
        header_bytes: of all headers of a request.
        connections: open at once in one worker; the longest idle one makes room for another.
    """

    headers_s: float = 10.0
    body_s: float = 30.0
    idle_s: float = 65.0
    unread_s: float = 30.0
    header_bytes: int = 64 * 1024
    connections: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """All that a worker needs to know.

    Attributes:
        servers: connections to the Triton servers, without a model's name.
        host: address to bind.
        port: port to bind; 0 is a free one.
        workers: processes.
        bounds: of each request.
        connection_bounds: of each connection.
        keys: file of the API keys; None lets everybody in.
        tls: certificate and key; None is plain HTTP.
        log: form and content of the log.
        tracing: where spans go; None makes none.
        drain_s: that requests in flight get when the gateway stops.
        check_s: between two looks at the servers.
    """

    servers: tuple[Connection, ...]
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    bounds: RequestBounds = field(default_factory=RequestBounds)
    connection_bounds: ConnectionBounds = field(default_factory=ConnectionBounds)
    keys: Path | None = None
    tls: TlsFiles | None = None
    log: LogSettings = field(default_factory=LogSettings)
    tracing: Tracing | None = None
    drain_s: float = 30.0
    check_s: float = 5.0
