"""Counts of what a supervisor sees and does, for Prometheus and for tests.

Whoever supervises calls the methods; `metrics_endpoint` shows the counts.
"""

import threading
from collections import Counter

RELOAD_OUTCOMES = ("done", "rolled_back", "failed")


class SupervisorMetrics:
    """Counts since the supervisor started; threads may share it."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._lock = threading.Lock()
        self._stage_ends: Counter[str] = Counter()
        self._restarts: Counter[str] = Counter()
        self._reloads: Counter[tuple[str, str]] = Counter()
        self._is_ready = False

    def stage_ended(self, stage: str) -> None:
        """Count the end of a stage's process that nobody asked for."""
        with self._lock:
            self._stage_ends[stage] += 1

    def pipeline_restarted(self, pipeline: str) -> None:
        """Count a pipeline that was brought back."""
        with self._lock:
            self._restarts[pipeline] += 1

    def pipeline_reloaded(self, pipeline: str, outcome: str) -> None:
        """Count a change of a pipeline's build.

        Args:
            pipeline: its name.
            outcome: one of `RELOAD_OUTCOMES`.
        """
        with self._lock:
            self._reloads[pipeline, outcome] += 1

    def set_ready(self, is_ready: bool) -> None:
        """Note whether new requests are taken."""
        self._is_ready = is_ready

    @property
    def is_ready(self) -> bool:
        """True while new requests are taken."""
        return self._is_ready

    def stage_ends(self) -> dict[str, int]:
        """Ends of processes by stage."""
        with self._lock:
            return dict(self._stage_ends)

    def restarts(self) -> dict[str, int]:
        """Pipelines brought back, by name."""
        with self._lock:
            return dict(self._restarts)

    def reloads(self) -> dict[tuple[str, str], int]:
        """Changes of build by pipeline and outcome."""
        with self._lock:
            return dict(self._reloads)
