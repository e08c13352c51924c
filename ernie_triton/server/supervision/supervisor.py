"""Watch the stages of a running server: bring back those that end, and let requests finish.

Triton 2.51 does not notice the end of a stage's process: it fails each request to it and
still says that the stage is ready. Here its pipeline is unloaded, so that its readiness is honest
and nobody waits. Then it is loaded again, which starts the stage anew. All others answer meanwhile.
"""

import contextlib
import os
import signal
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ernie_triton.errors import ServerError
from ernie_triton.server.control import Control
from ernie_triton.server.stage_processes import (
    failure_of,
    is_running,
    is_stopped,
    stage_processes,
)
from ernie_triton.server.supervision.stuck_stages import StuckStages
from ernie_triton.server.telemetry.metrics import SupervisorMetrics

ENDED = "ended"
DRAIN_TIMEOUT_S = 30.0
HUNG_AFTER_S = 1.0
MOST_ENDS = 5
ENDS_WINDOW_S = 600.0
"""A stage that ends more often than `MOST_ENDS` within this time is not brought back any more."""

_LISTING_S = 1.0
_PAUSE_S = 1.0
_UNLOAD_TIMEOUT_S = 15.0
_DRAIN_POLL_S = 0.05


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

    def __init__(self, server: int, stuck: StuckStages | None = None) -> None:
        """Begin with the processes that are there.

        Args:
            server: process id of tritonserver.
            stuck: finds those that compute without end, where that is wanted.
        """
        self._server = server
        self._stuck = stuck
        self._stages: dict[int, str] = {}
        self._stopped_since: dict[int, float] = {}
        self._listed_at = float("-inf")
        self.refresh()

    def __len__(self) -> int:
        return len(self._stages)

    def refresh(self) -> frozenset[str]:
        """Add the processes of stages that were loaded meanwhile; return the stages that run."""
        self._listed_at = time.monotonic()
        running = stage_processes(self._server)
        self._stages.update(running)
        return frozenset(running.values())

    def ends(self) -> list[StageEnd]:
        """The stages that ended since the last call; stuck ones are killed first."""
        now = time.monotonic()
        if now - self._listed_at >= _LISTING_S:
            self.refresh()
        stuck = self._stuck.pids() if self._stuck is not None else frozenset[int]()
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
            elif not is_stopped(pid):
                self._stopped_since.pop(pid, None)
        for end in found:
            self._stopped_since.pop(end.pid, None)
        return found

    def _killed(self, pid: int, how: str, seen_at: float) -> StageEnd:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return StageEnd(stage=self._stages.pop(pid), pid=pid, how=how, seen_at=seen_at)


class Supervisor:
    """Brings back the stages of one server, and lets its requests finish before a stop."""

    def __init__(
        self,
        server: int,
        control: Control,
        say: Callable[[str], None],
        metrics: SupervisorMetrics | None = None,
        stuck: StuckStages | None = None,
    ) -> None:
        """Watch the stages that run.

        Args:
            server: process id of tritonserver.
            control: the connection that may load and unload its models.
            say: is given a line for each event, also from other threads.
            metrics: counts the ends of stages and the pipelines that are back.
            stuck: finds stages that compute without end, where that is wanted.
        """
        self._control = control
        self._say = say
        self._metrics = metrics or SupervisorMetrics()
        self._watch = StageWatch(server, stuck)
        self._ends: defaultdict[str, deque[float]] = defaultdict(deque)
        self._one_at_a_time = threading.Lock()
        self._back_at: dict[str, float] = {}
        self._draining = False
        self._failure = ""

    @property
    def stages(self) -> int:
        """The number of processes that are watched."""
        return len(self._watch)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep pipelines from being brought back while somebody else loads or unloads models.

        Raises:
            ServerError: the server is stopping.
        """
        with self._one_at_a_time:
            if self._draining:
                raise ServerError("the server is stopping")
            yield

    def check(self) -> None:
        """Look at every stage once, and begin to bring back those that ended.

        Raises:
            ServerError: a stage ended too often, or cannot be brought back.
        """
        ends = self._watch.ends()
        if ends:
            threading.Thread(target=self._bring_back, args=(ends,), daemon=True).start()
        if self._failure:
            raise ServerError(self._failure)

    def drain(self, timeout_s: float) -> tuple[str, ...]:
        """Take every pipeline away from new requests, and wait for the answers to the others.

        While a pipeline still answers, Triton says that it and the server are not ready.

        Args:
            timeout_s: how long to wait, in seconds.

        Returns:
            The pipelines that still had unanswered requests when the time was up.

        Raises:
            ServerError: the server does not answer.
        """
        deadline = time.monotonic() + timeout_s
        self._draining = True
        with contextlib.suppress(TimeoutError), _held(self._one_at_a_time, timeout_s):
            names = frozenset(self._control.pipelines())
            for name in sorted(names):
                self._control.unload(name)
            while True:
                index = self._control.index()
                busy = {one.name for one in index if one.state == "UNLOADING"} & names
                if not busy or time.monotonic() >= deadline:
                    return tuple(sorted(busy))
                time.sleep(_DRAIN_POLL_S)
        return ("a pipeline that is being loaded",)

    def _bring_back(self, ends: Sequence[StageEnd]) -> None:
        start = time.monotonic()
        with self._one_at_a_time:
            try:
                self._bring_back_alone(ends, start)
            except ServerError as error:
                if not self._draining:
                    self._failure = f"{ends[0]}, and cannot be brought back: {error}"

    def _bring_back_alone(self, ends: Sequence[StageEnd], start: float) -> None:
        ends = [end for end in ends if self._matters(end)]
        dead = frozenset(end.stage for end in ends)
        if not ends or self._draining:
            return
        stages_of = self._control.pipelines()
        pipelines = sorted(name for name, stages in stages_of.items() if stages & dead)
        said = ", ".join(pipelines)
        for end in ends:
            self._metrics.stage_ended(end.stage)
        self._say(f"{'; '.join(map(str, ends))}; bringing {said} back, the others answer on")
        for name in sorted({*pipelines, *dead}):
            self._control.unload(name, timeout_s=_UNLOAD_TIMEOUT_S)
        while not self._failure and not self._draining:
            for end in ends:
                self._count(end)
            try:
                for name in pipelines:
                    self._control.load(name)
            except ServerError as error:
                self._say(f"{said}: {error}")
                time.sleep(_PAUSE_S)
                continue
            self._watch.refresh()
            self._back_at.update(dict.fromkeys(dead, time.monotonic()))
            for name in pipelines:
                self._metrics.pipeline_restarted(name)
            self._say(f"{said} back after {time.monotonic() - start:.1f} s")
            return

    def _matters(self, end: StageEnd) -> bool:
        """Return whether a stage is to be brought back, with every process that runs it.

        It is not when it is already back, or when somebody unloads or loads it. Triton also starts
        a process to complete a stage's configuration, which ends well while another serves.
        """
        if end.seen_at < self._back_at.get(end.stage, float("-inf")):
            return False
        if end.how == ENDED and end.stage in self._watch.refresh():
            return False
        return self._control.is_loaded(end.stage)

    def _count(self, end: StageEnd) -> None:
        now = time.monotonic()
        times = self._ends[end.stage]
        times.append(now)
        while times[0] < now - ENDS_WINDOW_S:
            times.popleft()
        if len(times) > MOST_ENDS:
            self._failure = (
                f"{end}, for the {len(times)}. time within {now - times[0]:.0f} s; find what kills "
                f"it (memory, a text, the engine), then start the server again"
            )


@contextlib.contextmanager
def _held(lock: threading.Lock, timeout_s: float) -> Iterator[None]:
    if not lock.acquire(timeout=timeout_s):
        raise TimeoutError
    try:
        yield
    finally:
        lock.release()
