"""Metrics of a worker for Prometheus; the workers of a gateway add up in files of a folder.

`prometheus_client` chooses files or memory when it is imported, by the variable
`PROMETHEUS_MULTIPROC_DIR`: a worker sets it first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ernie_triton.gateway.watching import Seen

_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class GatewayMetrics:
    """Counts of one worker."""

    def __init__(self, registry: Any = None) -> None:  # noqa: ANN401 - prometheus_client's own
        """Make the metrics, in a registry of their own unless one is given."""
        import prometheus_client as prometheus

        registry = registry or prometheus.CollectorRegistry()
        self._requests: Any = prometheus.Counter(
            "ernie_gateway_requests",
            "Requests by endpoint, status and key.",
            ("endpoint", "status", "key"),
            registry=registry,
        )
        self._problems: Any = prometheus.Counter(
            "ernie_gateway_problems", "Problems by kind.", ("problem",), registry=registry
        )
        self._rows: Any = prometheus.Counter(
            "ernie_gateway_rows",
            "Texts or pairs answered, by pipeline.",
            ("pipeline",),
            registry=registry,
        )
        self._seconds: Any = prometheus.Histogram(
            "ernie_gateway_seconds",
            "Seconds from a request's headers to its answer.",
            ("endpoint",),
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self._in_flight: Any = prometheus.Gauge(
            "ernie_gateway_in_flight",
            "Requests that are being answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def done(self, seen: Seen) -> None:
        """Count a request that has ended."""
        endpoint = seen.endpoint or "other"
        self._requests.labels(endpoint, str(seen.status), seen.key).inc()
        self._seconds.labels(endpoint).observe(seen.seconds)
        if seen.problem:
            self._problems.labels(seen.problem).inc()
        elif seen.rows and seen.pipeline:
            self._rows.labels(seen.pipeline).inc(seen.rows)

    @contextlib.contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request while the block runs."""
        self._in_flight.inc()
        try:
            yield
        finally:
            self._in_flight.dec()
