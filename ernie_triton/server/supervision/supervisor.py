"""Watch the stages of a running server: bring back those that end, and let requests finish.

Triton 2.51 does not notice the end of a stage's process: it fails each request to it and
still says that the stage is ready. Here its pipeline is unloaded, so that its readiness is honest
and nobody waits. Then it is loaded again, which starts the stage anew. All others answer meanwhile.
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from ernie_triton.errors import ServerError
from ernie_triton.server.control import Control
from ernie_triton.server.supervision.given_up_stages import GivenUpStages
from ernie_triton.server.supervision.stage_watch import ENDED, GIVEN_UP, StageEnd, StageWatch
from ernie_triton.server.supervision.stuck_stages import StuckStages
from ernie_triton.server.supervision.turns import Turns, pipeline_of
from ernie_triton.server.telemetry.metrics import SupervisorMetrics

DRAIN_TIMEOUT_S = 30.0
MOST_ENDS = 5
ENDS_WINDOW_S = 600.0
"""A stage that ends more often than `MOST_ENDS` within this time is not brought back any more."""

_PAUSE_S = 1.0
_UNLOAD_TIMEOUT_S = 15.0
_DRAIN_POLL_S = 0.05


class Supervisor:
    """Brings back the stages of one server, and lets its requests finish before a stop."""

    def __init__(
        self,
        server: int,
        control: Control,
        say: Callable[[str], None],
        metrics: SupervisorMetrics | None = None,
        stuck: StuckStages | None = None,
        given_up: GivenUpStages | None = None,
    ) -> None:
        """Watch the stages that run.

        Args:
            server: process id of tritonserver.
            control: the connection that may load and unload its models.
            say: is given a line for each event, also from other threads.
            metrics: counts the ends of stages and the pipelines that are back.
            stuck: finds stages that compute without end, where that is wanted.
            given_up: finds stages whose requests Triton fails by itself.
        """
        self._control = control
        self._say = say
        self._metrics = metrics or SupervisorMetrics()
        self._watch = StageWatch(server, stuck, given_up)
        self._ends: defaultdict[str, deque[float]] = defaultdict(deque)
        self._turns = Turns()
        self._stages_of: dict[str, frozenset[str]] = {}
        self._back_at: dict[str, float] = {}
        self._failure = ""

    @property
    def stages(self) -> int:
        """The number of processes that are watched."""
        return len(self._watch)

    def turn(self, pipeline: str) -> AbstractContextManager[None]:
        """Keep a pipeline from being brought back while somebody else loads or unloads it.

        Raises:
            ServerError: on entering, the server is stopping.
        """
        return self._turns.at({pipeline})

    def stop(self) -> None:
        """Bring back nothing any more."""
        self._turns.close()

    def check(self) -> None:
        """Look at every stage once, and begin to bring back those that ended.

        Raises:
            ServerError: a stage ended too often, or cannot be brought back.
        """
        ends = self._watch.ends()
        if ends:
            _start(self._bring_back, ends)
        if self._failure:
            raise ServerError(self._failure)

    def drain(self, timeout_s: float) -> tuple[str, ...]:
        """Take every pipeline away from new requests, and wait for the answers to the others.

        While a pipeline still answers, Triton says that it and the server are not ready.

        Args:
            timeout_s: how long to wait, in seconds.

        Returns:
            The pipelines that still had unanswered requests when the time was up, or were still
            being loaded.

        Raises:
            ServerError: the server does not answer.
        """
        deadline = time.monotonic() + timeout_s
        self._turns.close()
        loading = self._turns.taken()
        names = loading | frozenset(self._control.pipelines())
        left = set(names)
        while True:
            taken = self._turns.taken()
            for name in sorted(name for name in left if pipeline_of(name) not in taken):
                left.discard(name)
                try:
                    self._control.unload(name)
                except ServerError:
                    if name not in loading:  # those may have failed to load
                        raise
            unloading = {one.name for one in self._control.index() if one.state == "UNLOADING"}
            busy = (unloading & names) | left
            if not busy or time.monotonic() >= deadline:
                return tuple(sorted(busy))
            time.sleep(_DRAIN_POLL_S)

    def _bring_back(self, ends: Sequence[StageEnd]) -> None:
        """Bring back every pipeline of these stages, each in a thread of its own."""
        start = time.monotonic()
        try:
            self._stages_of.update(self._control.pipelines())
        except ServerError as error:
            self._give_up(ends[0], error)
            return
        of_pipelines = defaultdict(list)
        for end in ends:
            using = [name for name, stages in self._stages_of.items() if end.stage in stages]
            of_pipelines[frozenset(map(pipeline_of, using or [end.stage]))].append(end)
        for pipelines, stage_ends in of_pipelines.items():
            _start(self._bring_back_in_turn, pipelines, stage_ends, start)

    def _bring_back_in_turn(
        self, pipelines: frozenset[str], ends: Sequence[StageEnd], start: float
    ) -> None:
        try:
            with self._turns.at(pipelines):
                self._bring_back_alone(ends, start)
        except ServerError as error:
            self._give_up(ends[0], error)

    def _give_up(self, end: StageEnd, error: ServerError) -> None:
        if not self._turns.is_closed:
            self._failure = f"{end}, and cannot be brought back: {error}"

    def _bring_back_alone(self, ends: Sequence[StageEnd], start: float) -> None:
        stages_of = self._control.pipelines()
        ends = [end for end in ends if self._matters(end, stages_of)]
        dead = frozenset(end.stage for end in ends)
        if not ends or self._turns.is_closed:
            return
        pipelines = sorted(name for name, stages in stages_of.items() if stages & dead)
        said = ", ".join(pipelines)
        for end in ends:
            self._metrics.stage_ended(end.stage)
        self._say(f"{'; '.join(map(str, ends))}; bringing {said} back, the others answer on")
        for name in sorted({*pipelines, *dead}):
            self._control.unload(name, timeout_s=_UNLOAD_TIMEOUT_S)
        # Nothing says that the successor of a stage that Triton gave up would end too.
        counted = [end for end in ends if end.how != GIVEN_UP]
        while not self._failure and not self._turns.is_closed:
            for end in counted:
                self._count(end)
            counted = ends
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

    def _matters(self, end: StageEnd, stages_of: Mapping[str, frozenset[str]]) -> bool:
        """Return whether a stage is to be brought back, with every process that runs it.

        It is not when it is already back, or when somebody unloads or loads it, or when an ensemble
        took the place of a joined pipeline. Triton also starts a process to complete a stage's
        configuration, which ends well while another serves.
        """
        if end.stage not in stages_of.get(end.stage, {end.stage}):
            return False
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


def _start(target: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=target, args=arguments, daemon=True).start()
