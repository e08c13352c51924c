"""Answer the commands of `control_socket` with the builds of a server, and watch for new ones."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ernie_triton.errors import ErnieTritonError, UsageError
from ernie_triton.server.builds.live import LiveBuilds
from ernie_triton.text_table import Table

WATCH_EVERY_S = 5.0
_TIDY_EVERY_S = 10.0
_STOP_TIMEOUT_S = 2.0


def answer_command(
    builds: LiveBuilds, say: Callable[[str], None], request: Mapping[str, Any]
) -> list[str]:
    """Do what a command asks, and return its lines.

    Args:
        builds: of the server.
        say: is given a line for each exchange.
        request: its `command`, with `name` and `canary`.

    Raises:
        ErnieTritonError: it cannot be done.
    """
    command, name = request.get("command"), str(request.get("name", ""))
    if command == "builds":
        return _table(builds)
    if command == "reload":
        line = builds.reload(name, canary=bool(request.get("canary")))
    elif command == "rollback":
        line = builds.rollback(name)
    elif command == "forget":
        line = builds.forget(name)
    else:
        raise UsageError(f"the server knows no command {command!r}")
    say(line)
    return [line]


class BuildWatch:
    """A thread that takes in new builds of the repository, and lets old ones go."""

    def __init__(self, builds: LiveBuilds, say: Callable[[str], None], *, takes_new: bool) -> None:
        """Start.

        Args:
            builds: of the server.
            say: is given a line for each new build, and for each that cannot be taken in.
            takes_new: whether to take in new builds; otherwise old ones go alone.
        """
        self._builds = builds
        self._say = say
        self._takes_new = takes_new
        self._failed: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="build-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a build that is being loaded is given up with the server."""
        self._stopping.set()
        self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.wait(WATCH_EVERY_S if self._takes_new else _TIDY_EVERY_S):
            with contextlib.suppress(ErnieTritonError):  # the server is stopping
                self._builds.tidy()
            if self._takes_new:
                self._take_new()

    def _take_new(self) -> None:
        try:
            self._builds.fetch()
        except ErnieTritonError as error:
            if self._failed.get("") != str(error):
                self._failed[""] = str(error)
                self._say(f"no new builds: {error}")
            return
        for name in self._builds.names():
            self._look(name)

    def _look(self, name: str) -> None:
        identity = ""
        try:
            identity = self._builds.new_identity(name)
            if identity and self._failed.get(name) != identity:
                self._failed[name] = identity
                self._say(self._builds.reload(name))
        except ErnieTritonError as error:
            if identity:  # otherwise a build is being written
                self._say(f"{name} goes on with its build: {error}")


def _table(builds: LiveBuilds) -> list[str]:
    rows = [(one.name, one.identity, str(one.version), one.state) for one in builds.lines()]
    return Table(("pipeline", "build", "version", "state")).lines(rows)
