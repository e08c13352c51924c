"""Look at the processes of a server's stages, and find those that ended or stand still."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass

from ernie_triton.server.stage_processes import (
    failure_of,
    is_own_stage,
    is_running,
    is_stopped,
    stage_processes,
)
from ernie_triton.server.supervision.given_up_stages import GivenUpStages
from ernie_triton.server.supervision.stuck_stages import StuckStages

ENDED = "ended"
HUNG_AFTER_S = 1.0

GIVEN_UP = "was given up by Triton, which fails its requests, and was killed"

_LISTING_S = 1.0
_QUIET_S = 60.0
"""After an end of a stage, Triton may still fail requests that its dead process had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEnd:
    """The end of a stage's process.

    Attributes:
        stage: its model.
        pid: its process id.
        how: what ended it, in words.
        seen_at: when it was seen, on the monotonic clock in seconds.
    """

    stage: str
    pid: int
    how: str
    seen_at: float

    def __str__(self) -> str:
        return f"the stage {self.stage} {self.how} (process {self.pid})"


class StageWatch:
    """The processes of a server's stages, and which of them have ended."""

    def __init__(
        self,
        server: int,
        stuck: StuckStages | None = None,
        given_up: GivenUpStages | None = None,
    ) -> None:
        """Begin with the processes that are there.

        Args:
            server: process id of tritonserver.
            stuck: finds those that compute without end, where that is wanted.
            given_up: finds those whose requests Triton fails by itself.
        """
        self._server = server
        self._stuck = stuck
        self._given_up = given_up
        self._ended_at: dict[str, float] = {}
        self._stages: dict[int, str] = {}
        self._stopped_since: dict[int, float] = {}
        self._killed_pids: set[int] = set()
        self._listed_at = float("-inf")
        self.refresh()

    def __len__(self) -> int:
        return len(self._stages)

    def refresh(self) -> frozenset[str]:
        """Add the processes of stages that were loaded meanwhile; return the stages that run."""
        self._listed_at = time.monotonic()
        running = stage_processes(self._server)
        # One that was killed is listed until it has ended.
        self._killed_pids &= running.keys()
        running = {pid: name for pid, name in running.items() if pid not in self._killed_pids}
        self._stages.update(running)
        return frozenset(running.values())

    def ends(self) -> list[StageEnd]:
        """The stages that ended since the last call; stuck and given up ones are killed first."""
        now = time.monotonic()
        if now - self._listed_at >= _LISTING_S:
            self.refresh()
        stuck = self._stuck.pids() if self._stuck is not None else frozenset[int]()
        given_up = self._given_up.stages() if self._given_up is not None else frozenset[str]()
        found = []
        for pid, stage in list(self._stages.items()):
            if not is_running(pid):
                del self._stages[pid]
                how = failure_of(pid) or ENDED
                found.append(StageEnd(stage=stage, pid=pid, how=how, seen_at=now))
            elif is_stopped(pid) and now - self._stopped_since.setdefault(pid, now) >= HUNG_AFTER_S:
                how = f"stood still for {HUNG_AFTER_S:g} s and was killed"
                found.append(self._killed(pid, how, now))
            elif self._stuck is not None and pid in stuck:
                how = f"ended no request for {self._stuck.timeout_s:g} s and was killed"
                found.append(self._killed(pid, how, now))
            elif stage in given_up and self._may_be_given_up(pid, stage, now):
                found.append(self._killed(pid, GIVEN_UP, now))
            elif not is_stopped(pid):
                self._stopped_since.pop(pid, None)
        for end in found:
            self._stopped_since.pop(end.pid, None)
            self._ended_at[end.stage] = now
        return found

    def _may_be_given_up(self, pid: int, stage: str, now: float) -> bool:
        """Leave out stages of others, which may fail requests themselves, and those just ended."""
        return now - self._ended_at.get(stage, float("-inf")) >= _QUIET_S and is_own_stage(pid)

    def _killed(self, pid: int, how: str, seen_at: float) -> StageEnd:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self._killed_pids.add(pid)
        return StageEnd(stage=self._stages.pop(pid), pid=pid, how=how, seen_at=seen_at)
