"""Turns at the pipelines of a server: whoever has one may load and unload that pipeline's models.

So a load that takes long keeps nobody from bringing back other pipelines.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ernie_triton.errors import ServerError


def pipeline_of(model: str) -> str:
    """The pipeline's name in that of a build, `NAME@IDENTITY`, or of a model of such a build."""
    return model.partition("@")[0]


class Turns:
    """The pipelines that somebody loads or unloads at the moment; threads share it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._taken: set[str] = set()
        self._changed = threading.Condition()
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """True when nobody gets a turn any more."""
        return self._is_closed

    def taken(self) -> frozenset[str]:
        """The pipelines that somebody has."""
        with self._changed:
            return frozenset(self._taken)

    @contextmanager
    def at(self, pipelines: Iterable[str]) -> Iterator[None]:
        """Wait for all these pipelines at once, and have them while the context is open.

        Raises:
            ServerError: the server is stopping.
        """
        names = frozenset(pipelines)
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or not names & self._taken)
            if self._is_closed:
                raise ServerError("the server is stopping")
            self._taken |= names
        try:
            yield
        finally:
            with self._changed:
                self._taken -= names
                self._changed.notify_all()

    def close(self) -> None:
        """Give no more turns; those who have one keep it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
