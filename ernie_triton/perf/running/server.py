"""Use the server at an address, or start one here for each subject."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.perf.analyzer.watch import listening_process
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions

_WATCH_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPlace:
    """The place of the models: a server's gRPC address, or a repository to serve.

    `metrics_url` is that of the server's metrics; where it is empty, the port after gRPC's.
    """

    url: str = ""
    metrics_url: str = ""
    repository: Path = Path("model_repository")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A server that answers.

    Attributes:
        url: its gRPC address.
        metrics_url: the address of its metrics, which may be closed.
        pid: its process; None where it is elsewhere or not visible.
        still: raises ServerError where the server has ended or lost a stage; does nothing for a
            server at an address, whose requests fail then.
    """

    url: str
    metrics_url: str
    pid: int | None
    still: Callable[[], None]


@contextmanager
def served(place: ServingPlace, model: str) -> Iterator[Serving]:
    """Yield the server at the address, or a new one that serves this model alone.

    Raises:
        ServerError: the new one did not start.
        MissingExtraError: the server's wheel is not installed.
    """
    if place.url:
        yield Serving(
            url=place.url,
            metrics_url=place.metrics_url or _metrics_beside(place.url),
            pid=listening_process(place.url),
            still=lambda: None,
        )
        return
    options = ServerOptions(
        repository=place.repository, models=(model,), grpc_port=0, metrics_port=0
    )
    with EmbeddedServer(options) as server:
        yield Serving(
            url=server.url,
            metrics_url=f"http://{options.metrics_host}:{server.metrics_port}/metrics",
            pid=server.pid,
            still=lambda: server.watch(_WATCH_S),
        )


def _metrics_beside(url: str) -> str:
    """The metrics of a server at this gRPC address, if its ports are as Triton's own are."""
    host, _, port = url.rpartition(":")
    return f"http://{host}:{int(port) + 1}/metrics" if port.isdecimal() else ""
