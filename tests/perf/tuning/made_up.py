"""A machine that is a formula, in the place of servers and perf_analyzer."""

from collections.abc import Callable, Collection

from ernie_triton.errors import ServerError
from ernie_triton.perf.tuning.search import Figure
from ernie_triton.perf.tuning.setting import Setting


class FormulaBench:
    """Answers with `cost(setting)`; keeps account of what was asked and what runs."""

    def __init__(
        self, cost: Callable[[Setting], Figure], *, broken: Collection[Setting] = ()
    ) -> None:
        self._cost = cost
        self._broken = broken
        self.asked: list[Setting] = []
        self.running: set[Setting] = set()
        self.most_running = 0

    def figure(self, setting: Setting) -> Figure:
        if setting in self._broken:
            raise ServerError("the server did not start: no memory")
        self.asked.append(setting)
        self.running.add(setting)
        self.most_running = max(self.most_running, len(self.running))
        return self._cost(setting)

    def keep(self, settings: Collection[Setting]) -> None:
        self.running &= set(settings)


def figure(texts_per_s: float, p99_ms: float | None = None) -> Figure:
    """A figure whose latency is that of 32 requests always under way, unless it is given."""
    mean_ms = 32_000 / texts_per_s
    return Figure(texts_per_s=texts_per_s, p50_ms=mean_ms, p99_ms=p99_ms or 2 * mean_ms)
