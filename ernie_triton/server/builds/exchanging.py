"""Let commands exchange the builds of a running server, for `serve` and `supervise` alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ernie_triton.server.builds.answering import BuildWatch, answer_command
from ernie_triton.server.builds.control_socket import ControlSocket
from ernie_triton.server.builds.live import LiveBuilds
from ernie_triton.server.telemetry.event_log import EventLog
from ernie_triton.server.telemetry.metrics import SupervisorMetrics


@contextmanager
def exchangeable(
    builds: LiveBuilds,
    grpc_port: int,
    events: EventLog,
    metrics: SupervisorMetrics,
    *,
    check: Callable[[str], None],
    fetch: Callable[[], None] = lambda: None,
    takes_new: bool = False,
) -> Iterator[None]:
    """Take commands for a server's builds, and new builds if wanted.

    Args:
        builds: of the server.
        grpc_port: by which commands name it.
        events: is told of each exchange.
        metrics: counts them.
        check: raises ServerError where the repository's build of a pipeline is not for here.
        fetch: brings what is new into the repository; raises RepositoryError.
        takes_new: take in new builds without a command.

    Raises:
        ServerError: the socket for commands cannot be made.
    """

    def say(line: str) -> None:
        events.event("builds", line, message=line)

    builds.check, builds.fetch, builds.count = check, fetch, metrics.pipeline_reloaded
    with ControlSocket(grpc_port, partial(answer_command, builds, say)):
        watch = BuildWatch(builds, say, takes_new=takes_new)
        try:
            yield
        finally:
            watch.stop()
