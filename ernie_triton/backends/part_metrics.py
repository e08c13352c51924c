"""The counts of a joined pipeline's parts as metrics of the server, for Prometheus."""

import os
import threading
from typing import Any

import triton_python_backend_utils as pb_utils

from ernie_triton.stage_names import PARTS
from ernie_triton.stages.part_counts import PART_COUNTS, PartCounts, metric_labels, metric_of

_EVERY_S = 1.0
"""A metric that has changed is a message to the server, which costs some 50 µs."""


class PartMetrics:
    """Tells the server, once a second, what has changed."""

    def __init__(self, model: str, counts: PartCounts) -> None:
        """Make the metrics, and start the thread that updates them.

        Args:
            model: the pipeline's.
            counts: of its stage.
        """
        self._counts = counts
        self._families = {
            count: pb_utils.MetricFamily(
                name=metric_of(count), description=text, kind=pb_utils.MetricFamily.COUNTER
            )
            for count, text in PART_COUNTS.items()
        }
        self._metrics: dict[tuple[str, str], Any] = {
            (part, count): family.Metric(labels=metric_labels(model, part, os.getpid()))
            for count, family in self._families.items()
            for part in (("engine",) if count == "tokens" else PARTS)
        }
        self._told = dict.fromkeys(self._metrics, 0.0)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="part-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell the last changes, end the thread, and take the metrics away."""
        self._closing.set()
        self._thread.join()
        self._metrics.clear()
        self._families.clear()

    def _work(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._closing.wait(_EVERY_S)
            for (part, count), metric in self._metrics.items():
                now = getattr(self._counts[part], count)
                if added := now - self._told[part, count]:
                    metric.increment(added)
                    self._told[part, count] = now
