"""Check a server's health by one small request to every ensemble, through all its stages.

Triton's own readiness is not enough: with a dead stage the server, the ensemble and the stage all
still answer "ready" (measured with 2.51), while every request fails.
"""

import argparse
import contextlib
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ernie_triton.client.security_options import add_security_options, connection_from_namespace
from ernie_triton.client.transport import Connection, GrpcTransport
from ernie_triton.client.wire import Endpoint, InferRequest
from ernie_triton.errors import ClientError, ModelNotReadyError, QueueFullError

_PROBE_TEXT = "健康"
_PROBES = {"schema": ('["健康"]',), "options": (_PROBE_TEXT, _PROBE_TEXT), "parameters": ("",)}
"""The values of inputs that take no plain text, or several."""
_REQUEST_TIMEOUT_S = 15.0


class UnhealthyError(Exception):
    """An ensemble or the server does not answer; the message is one line."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = "Ask every ensemble of a server one question."
    parser.add_argument("--repository", type=Path, required=True, help="the model repository")
    parser.add_argument(
        "--url", default="127.0.0.1:8001", help="host:port of Triton's gRPC (default: %(default)s)"
    )
    parser.add_argument(
        "--inner-port",
        type=int,
        metavar="PORT",
        help="ask 127.0.0.1 at this port instead if something listens there, as it does under "
        "`supervise` with TLS",
    )
    add_security_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask every ensemble; return 0 when all answer, 1 with one line when one does not."""
    endpoint = Endpoint(url=_inner_url(arguments.inner_port) or arguments.url, model="")
    try:
        asked = check(connection_from_namespace(arguments, endpoint), arguments.repository)
    except UnhealthyError as error:
        print(f"unhealthy: {error}")
        return 1
    print(f"healthy: {', '.join(asked)}")
    return 0


def _inner_url(port: int | None) -> str:
    """The address of this port on this machine; empty where nothing listens."""
    if port is None:
        return ""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return f"127.0.0.1:{port}"
    return ""


def check(connection: Connection, repository: Path) -> list[str]:
    """List the ensembles that answered.

    The names come from the repository, because listing the server's is a restricted protocol.

    Raises:
        UnhealthyError: the server is not ready, has no ensemble, or one of them failed.
    """
    try:
        with contextlib.closing(GrpcTransport(connection)) as transport:
            if not transport.server_ready(_REQUEST_TIMEOUT_S):
                raise UnhealthyError(f"the server at {connection.endpoint.url} is not ready")
        names = sorted(path.parent.name for path in repository.glob("*/config.pbtxt"))
        asked = [name for name in names if _answers(_connection_to(name, connection))]
    except ClientError as error:
        raise UnhealthyError(str(error)) from error
    if not asked:
        raise UnhealthyError(f"the server has no ensemble of {repository}")
    return asked


def probe_columns(inputs: Sequence[str]) -> dict[str, list[bytes]]:
    """One small row for a pipeline with these inputs."""
    # Models that fill in a mask have one name of it or the other.
    text = f"{_PROBE_TEXT}[MASK]<mask>" if "parameters" in inputs else _PROBE_TEXT
    probes = {name: _PROBES.get(name, (text,)) for name in inputs}
    return {name: [value.encode() for value in values] for name, values in probes.items()}


def _connection_to(name: str, connection: Connection) -> Connection:
    return replace(connection, endpoint=replace(connection.endpoint, model=name))


def _answers(connection: Connection) -> bool:
    """Ask one model; return True when it is a loaded ensemble and answered."""
    with contextlib.closing(GrpcTransport(connection)) as transport:
        try:
            facts = transport.facts(_REQUEST_TIMEOUT_S)
        except ModelNotReadyError:
            return False  # not loaded: the server's readiness speaks for those that should be
        if not facts.is_ensemble:
            return False
        columns = probe_columns(facts.inputs)
        # Refusing work over the limit is what a healthy server does under too much load.
        with contextlib.suppress(QueueFullError):
            transport.infer(InferRequest(columns=columns, outputs=()), _REQUEST_TIMEOUT_S)
        return True
