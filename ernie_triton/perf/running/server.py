"""Where a subject is asked: a server at an address, or one that is started for it here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.perf.running.watch import listening_process
from ernie_triton.server.embedded import EmbeddedServer, ServerOptions

_WATCH_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the models are: a server's gRPC address, or without one a repository to serve."""

    url: str = ""
    repository: Path = Path("model_repository")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A server that answers.

    Attributes:
        url: its gRPC address.
        pid: its process, where it is on this machine and visible.
        still: raises ServerError where it has ended or lost a stage; of a server that somebody else
            started, requests tell.
    """

    url: str
    pid: int | None
    still: Callable[[], None]


@contextmanager
def served(place: Place, model: str) -> Iterator[Serving]:
    """The server of one model: the one at the address, or a new one with nothing else in it.

    Raises:
        ServerError: the new one did not start.
        MissingExtraError: the server's wheel is not installed.
    """
    if place.url:
        yield Serving(url=place.url, pid=listening_process(place.url), still=lambda: None)
        return
    options = ServerOptions(
        repository=place.repository, models=(model,), http_port=0, grpc_port=0, metrics_port=0
    )
    with EmbeddedServer(options) as server:
        yield Serving(url=server.url, pid=server.pid, still=lambda: server.watch(_WATCH_S))
