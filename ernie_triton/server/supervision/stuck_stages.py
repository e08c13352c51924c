"""Find stages that compute without end: they have requests, and end none.

Triton does not notice them either. Each stage counts its requests in a file; see `request_counts`.
"""

import time
from pathlib import Path

from ernie_triton.request_counts import read_counts

_LOOK_EVERY_S = 0.5


class StuckStages:
    """The processes of stages that ended no request for too long, though they had some."""

    def __init__(self, counts: Path, timeout_s: float) -> None:
        """Begin to look.

        Args:
            counts: the folder in which stages count.
            timeout_s: how long a stage may take for whatever it has.
        """
        self._counts = counts
        self.timeout_s = timeout_s
        self._ended: dict[int, tuple[int, float]] = {}
        self._looked_at = float("-inf")
        self._found: frozenset[int] = frozenset()

    def pids(self) -> frozenset[int]:
        """The process ids; the files are read twice a second at most."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_EVERY_S:
            return self._found
        self._looked_at = now
        moved = {}
        for stage in read_counts(self._counts):
            ended = sum(stage.ended.values())
            before, since = self._ended.get(stage.pid, (ended, now))
            moved[stage.pid] = (ended, since if stage.running and ended == before else now)
        self._ended = moved
        due = now - self.timeout_s
        self._found = frozenset(pid for pid, (_, since) in moved.items() if since <= due)
        return self._found
