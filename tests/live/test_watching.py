"""A served request seen from outside: its lines in the log, and its spans at a collector."""

import http.server
import json
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import tritonclient.grpc as triton
from prometheus_client.parser import text_string_to_metric_families

from ernie_triton.client.request_context import request_context
from ernie_triton.client.tasks.seq_cls import SeqClsClient
from tests.live.requests import text_tensor
from tests.live.test_serve import DEADLINE_S, FREE_PORTS, ready_line, serving

pytestmark = pytest.mark.live

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
TEXT = "央行宣布下调存款准备金率"
STAGES = ("tokenizer", "engine", "postprocess")

Span = Mapping[str, Any]


class Collector:
    """An OTLP/HTTP collector that keeps the spans it is sent."""

    def __init__(self) -> None:
        self._spans: Queue[Span] = Queue()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                collector.take(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, body: Mapping[str, Any]) -> None:
        for resource in body["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    self._spans.put(span)

    def trace(self, wanted: str, names: set[str]) -> dict[str, Span]:
        """The spans of a trace by name, once those that are named are there."""
        found: dict[str, Span] = {}
        while not names <= set(found):
            span = self._spans.get(timeout=DEADLINE_S)
            if span["traceId"] == wanted:
                found[span["name"]] = span
        return found

    @contextmanager
    def running(self) -> Iterator["Collector"]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def events(log: Path, is_enough: Callable[[list[Any]], bool]) -> list[Any]:
    """The log's events, as soon as there are enough."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        lines = log.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines]
        if is_enough(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def of_request(found: list[Any], request_id: str) -> list[Any]:
    return [event for event in found if event.get("request_id") == request_id]


def refuse_one(url: str, request_id: str) -> str:
    """Send a text that is not UTF-8; returns the server's message."""
    with triton.InferenceServerClient(url) as client:
        tensor = text_tensor("text", [b"\xff"])
        with pytest.raises(triton.InferenceServerException) as caught:
            client.infer("ernie_seqcls", [tensor], request_id=request_id)
    return str(caught.value)


def test_a_request_is_found_by_its_id_in_the_log_and_by_its_span_at_the_collector(
    repository: Path, tmp_path: Path
) -> None:
    log = tmp_path / "serve.log"
    watched = ("--log-format", "json", "--log-file", str(log), "--supervisor-port", "0")
    with (
        Collector().running() as collector,
        serving(
            repository,
            *(*FREE_PORTS, *watched, "--otlp-endpoint", collector.url),
            *("--model", "ernie_seqcls"),
        ) as process,
    ):
        line = ready_line(process)
        url = line.split("gRPC ")[1].split(",")[0]
        with (
            SeqClsClient(url) as client,
            request_context(request_id="order-7", traceparent=f"00-{TRACE}-{CALLER}-01"),
        ):
            client.classify([TEXT, "你好"])
        refuse_one(url, "order-8")
        found = events(log, has_all)
        metrics = metrics_of(line.split("supervisor ")[1].split(";")[0])
        spans = collector.trace(TRACE, {"InferRequest", "ernie_seqcls"})
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=DEADLINE_S)
        assert errors == ""
    _check_lines(found)
    _check_metrics(metrics)
    assert TEXT not in log.read_text(encoding="utf-8")
    assert json.loads(log.read_text(encoding="utf-8").splitlines()[-1])["event"] == "stopped"
    assert spans["InferRequest"]["parentSpanId"] == CALLER
    assert set(spans) >= {f"ernie_seqcls_{stage}" for stage in STAGES}
    values = [attribute["value"] for attribute in spans["ernie_seqcls"]["attributes"]]
    assert {"stringValue": "order-7"} in values


def metrics_of(address: str) -> dict[tuple[str, ...], float]:
    """The supervisor's samples by name and labels' values."""
    with urllib.request.urlopen(f"http://{address}", timeout=DEADLINE_S) as response:
        families = text_string_to_metric_families(response.read().decode())
        return {
            (sample.name.removeprefix("ernie_triton_"), *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }


def _check_metrics(metrics: Mapping[tuple[str, ...], float]) -> None:
    assert metrics["ready",] == 1
    assert metrics["requests_refused_total", "ernie_seqcls", "request"] == 1
    assert metrics["requests_in_flight", "ernie_seqcls"] == 0
    for stage in STAGES:
        assert metrics["requests_total", "answered", "ernie_seqcls", stage] >= 1
        assert metrics["requests_total", "failed", "ernie_seqcls", stage] == 0


def has_all(found: list[Any]) -> bool:
    """Return True when every stage has told of its requests; each writes when it has the time."""
    return len(of_request(found, "order-7")) == 3 and len(of_request(found, "order-8")) == 1


def _check_lines(found: list[Any]) -> None:
    (ready,) = [event for event in found if event["event"] == "ready"]
    assert "ernie_seqcls" in ready["models"]
    answered = sorted(of_request(found, "order-7"), key=lambda event: str(event["time"]))
    assert [event["stage"] for event in answered] == [*STAGES]
    assert {event["outcome"] for event in answered} == {"answered"}
    assert {event["pipeline"] for event in answered} == {"ernie_seqcls"}
    assert [event["rows"] for event in answered] == [2, 2, 2]
    tokens = [event.get("tokens") for event in answered]
    assert tokens == [len(TEXT) + 2 + len("你好") + 2] * 2 + [None]
    (refused,) = of_request(found, "order-8")
    assert (refused["stage"], refused["outcome"]) == ("tokenizer", "refused")
    assert "is not UTF-8" in refused["error"]
