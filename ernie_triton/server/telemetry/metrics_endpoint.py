"""A supervisor's own metrics for Prometheus: restarts, reloads, requests in flight and refused.

Triton's metrics, which it reads, know the requests that wait and those that Triton refuses. The
stages' own counts know those that run, and why a stage did not answer.
"""

import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ernie_triton.errors import MissingExtraError, ServerError
from ernie_triton.request_counts import CountedStage, read_counts
from ernie_triton.server.stage_processes import is_running
from ernie_triton.server.telemetry.metrics import RELOAD_OUTCOMES, SupervisorMetrics
from ernie_triton.stage_names import pipeline_and_part

_TRITON_TIMEOUT_S = 2.0
_PENDING = "nv_inference_pending_request_count"
_FAILURES = "nv_inference_request_failure"
_REASONS = {"REJECTED": "queue_full", "CANCELED": "cancelled"}
"""Triton's reasons for requests that no stage got, and ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The sources of the metrics.

    Attributes:
        events: counts of the supervisor itself.
        counts: the folder in which stages count their requests.
        triton_url: the address of Triton's metrics.
    """

    events: SupervisorMetrics
    counts: Path
    triton_url: str


class MetricsEndpoint:
    """An HTTP endpoint of a supervisor's metrics; a context manager that runs it."""

    def __init__(self, sources: Sources, *, host: str, port: int) -> None:
        """Open the port; 0 chooses a free one.

        Raises:
            MissingExtraError: prometheus_client is not installed.
            ServerError: the port cannot be had.
        """
        try:
            import prometheus_client
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "prometheus_client", "supervisor", "the supervisor's metrics"
            ) from error
        registry: Any = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=registry)
        registry.register(_Collector(sources))
        try:
            self._server, self._thread = prometheus_client.start_http_server(
                port, addr=host, registry=registry
            )
        except OSError as error:
            raise ServerError(
                f"the port {port} of the supervisor's metrics cannot be opened ({error.strerror}); "
                f"name a free one, or 0"
            ) from error

    @property
    def port(self) -> int:
        """The port that is open."""
        return int(self._server.server_port)

    def __enter__(self) -> "MetricsEndpoint":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Collector:
    """Makes the metrics anew for every scrape."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[object]:
        """Yield every metric; those of Triton are missing while it does not answer."""
        events = self._sources.events
        text = "1 while new requests are taken."
        yield _metric("gauge", "ready", text, (), {(): int(events.is_ready)})
        stages = list(read_counts(self._sources.counts))
        # From zero on: Prometheus sees no increase in a counter that begins at one.
        models = {stage.model: 0 for stage in stages}
        pipelines = {_pipeline_and_part(model)[0]: 0 for model in models}
        outcomes = {(name, outcome): 0 for name in pipelines for outcome in RELOAD_OUTCOMES}
        text = "Ends of a stage's process that nobody asked for."
        yield _metric("counter", "stage_ends", text, ("stage",), models | events.stage_ends())
        text = "Pipelines that were brought back."
        yield _metric("counter", "restarts", text, ("pipeline",), pipelines | events.restarts())
        text = "Changes of a pipeline's build."
        reloads = outcomes | events.reloads()
        yield _metric("counter", "reloads", text, ("pipeline", "outcome"), reloads)
        yield from _request_metrics(stages, list(_triton_samples(self._sources.triton_url)))


def _request_metrics(
    stages: Iterable[CountedStage], triton: Iterable[tuple[str, dict[str, str], float]]
) -> Iterator[object]:
    ended: Counter[tuple[str, ...]] = Counter()
    refused: Counter[tuple[str, ...]] = Counter()
    in_flight: Counter[tuple[str, ...]] = Counter()
    for stage in stages:
        pipeline, part = _pipeline_and_part(stage.model)
        for outcome, count in stage.ended.items():
            ended[pipeline, part, outcome] += count
        refused[pipeline, "request"] += stage.ended["refused"]
        in_flight[pipeline,] += stage.running if is_running(stage.pid) else 0
    for name, labels, value in triton:
        pipeline, _ = _pipeline_and_part(labels.get("model", ""))
        if name == _PENDING:
            in_flight[pipeline,] += int(value)
        elif name == _FAILURES and (reason := _REASONS.get(labels["reason"])):
            refused[pipeline, reason] += int(value)
    names = ("pipeline", "stage", "outcome")
    yield _metric("counter", "requests", "Requests of a stage by their end.", names, ended)
    text = "Requests refused: for their own fault, a full queue, or given up by the client."
    yield _metric("counter", "requests_refused", text, ("pipeline", "reason"), refused)
    text = "Requests that wait or run."
    yield _metric("gauge", "requests_in_flight", text, ("pipeline",), in_flight)


def _metric(
    kind: str, name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, int]
) -> object:
    """A metric with a sample for each value, by its labels' values."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    family: Any = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    metric = family(f"ernie_triton_{name}", text, labels=labels)
    for key, value in values.items():
        metric.add_metric((key,) if isinstance(key, str) else key, value)
    return metric


def _triton_samples(url: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Triton's samples that count here; none while it does not answer."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        with urllib.request.urlopen(url, timeout=_TRITON_TIMEOUT_S) as response:
            text = response.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removesuffix("_total")  # which the parser gives every counter
            if name in (_PENDING, _FAILURES):
                yield name, sample.labels, sample.value


def _pipeline_and_part(model: str) -> tuple[str, str]:
    """A pipeline's name and its stage's, of a model's; a joined one's stage is `joined`."""
    pipeline, part = pipeline_and_part(model)
    return (pipeline.partition("@")[0], part) if part else (model, "joined")
