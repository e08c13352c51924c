"""A supervisor's metrics, as Prometheus reads them."""

from __future__ import annotations

import http.server
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ernie_triton.errors import ServerError
from ernie_triton.request_counts import RequestCounts
from ernie_triton.server.telemetry.metrics import SupervisorMetrics
from ernie_triton.server.telemetry.metrics_endpoint import MetricsEndpoint, Sources

TRITON = """
# TYPE nv_inference_request_failure counter
nv_inference_request_failure{model="news",reason="REJECTED",version="1"} 3
nv_inference_request_failure{model="news_engine",reason="CANCELED",version="1"} 2
nv_inference_request_failure{model="news_engine",reason="BACKEND",version="1"} 9
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="news_engine",version="1"} 4
nv_inference_pending_request_count{model="other",version="1"} 1
"""


@pytest.fixture
def triton_url() -> Iterator[str]:
    """Triton's metrics, from a server of the test's own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(TRITON.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()


def scraped(
    counts: Path, triton_url: str, events: SupervisorMetrics | None = None
) -> dict[tuple[str, ...], float]:
    """The endpoint's samples by name and its labels' values, in the order of the labels."""
    sources = Sources(events=events or SupervisorMetrics(), counts=counts, triton_url=triton_url)
    with MetricsEndpoint(sources, host="127.0.0.1", port=0) as endpoint:
        url = f"http://127.0.0.1:{endpoint.port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as response:
            text = response.read().decode()
    return {
        (sample.name.removeprefix("ernie_triton_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_supervisors_own_counts_are_there(tmp_path: Path, triton_url: str) -> None:
    events = SupervisorMetrics()
    events.stage_ended("news_engine")
    events.pipeline_restarted("news")
    events.pipeline_restarted("news")
    events.pipeline_reloaded("news", "done")
    events.set_ready(True)
    found = scraped(tmp_path, triton_url, events)
    assert found["ready",] == 1
    assert found["stage_ends_total", "news_engine"] == 1
    assert found["restarts_total", "news"] == 2
    assert found["reloads_total", "done", "news"] == 1
    assert found["process_open_fds",] > 0


def test_requests_are_those_of_the_stages_and_of_triton(tmp_path: Path, triton_url: str) -> None:
    counts = RequestCounts(tmp_path, "news_engine")
    counts.took(10)
    for outcome in ("answered", "answered", "refused", "failed"):
        counts.ended(outcome)
    RequestCounts(tmp_path, "joined_news").took(5)
    found = scraped(tmp_path, triton_url)
    assert found["ready",] == 0
    assert found["restarts_total", "joined_news"] == 0
    assert found["stage_ends_total", "news_engine"] == 0
    assert found["reloads_total", "failed", "news"] == 0
    assert found["requests_total", "answered", "news", "engine"] == 2
    assert found["requests_total", "failed", "news", "engine"] == 1
    assert found["requests_in_flight", "news"] == 6 + 4
    assert found["requests_in_flight", "joined_news"] == 5
    assert found["requests_in_flight", "other"] == 1
    assert found["requests_refused_total", "news", "request"] == 1
    assert found["requests_refused_total", "news", "queue_full"] == 3
    assert found["requests_refused_total", "news", "cancelled"] == 2
    assert not [key for key in found if "BACKEND" in key]


def test_a_stage_that_has_ended_holds_no_requests(tmp_path: Path, triton_url: str) -> None:
    RequestCounts(tmp_path, "news_engine").took(3)
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / "news_engine.999999999")
    assert scraped(tmp_path, triton_url)["requests_in_flight", "news"] == 4


def test_without_triton_the_rest_is_still_told(tmp_path: Path) -> None:
    RequestCounts(tmp_path, "news_engine").took(3)
    assert scraped(tmp_path, "http://127.0.0.1:1/metrics")["requests_in_flight", "news"] == 3


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    sources = Sources(events=SupervisorMetrics(), counts=tmp_path, triton_url="http://127.0.0.1:1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"the port {port} of the supervisor's metrics"):
            MetricsEndpoint(sources, host="127.0.0.1", port=port)
