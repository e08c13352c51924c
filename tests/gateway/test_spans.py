"""A request's span continues the caller's trace, and goes on to the server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from ernie_triton.gateway.spans import Spans
from ernie_triton.server.telemetry.tracing import Tracing
from tests.client.fakes import FakeModel
from tests.gateway.fakes import URL, Caller, FakeServer, new_gateway

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
BODY = {"model": "ernie_seqcls", "input": ["a", "b"]}


class Collector(HTTPServer):
    """Keeps the documents that it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.documents: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self) -> list[Any]:
        groups = [one["scopeSpans"][0]["spans"] for [one] in self.documents]
        return [span for group in groups for span in group]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        length = int(self.headers["content-length"])
        self.server.documents.append(json.loads(self.rfile.read(length))["resourceSpans"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as opened:
        thread = threading.Thread(target=opened.serve_forever)
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def test_a_span_continues_the_caller_s_trace_and_goes_on_to_the_server(
    collector: Collector,
) -> None:
    model = FakeModel()
    spans = Spans(Tracing(endpoint=collector.url))
    caller = Caller(new_gateway({URL: FakeServer(models={"ernie_seqcls": model})}, spans=spans))
    before_ns = time.time_ns()
    caller.post("/v1/classify", BODY, traceparent=f"00-{TRACE}-{PARENT}-01")
    sent = model.requests[-1].headers["traceparent"]
    caller.post("/v1/classify", BODY, traceparent=f"00-{TRACE}-{PARENT}-00")
    assert model.requests[-1].headers["traceparent"] == f"00-{TRACE}-{PARENT}-00"
    caller.post("/v1/classify", {"model": "none", "input": "a"}, x_request_id="mine")
    spans.close()
    asked, refused = collector.spans
    assert (asked["traceId"], asked["parentSpanId"], asked["kind"]) == (TRACE, PARENT, 2)
    assert sent == f"00-{TRACE}-{asked['spanId']}-01"
    assert before_ns <= int(asked["startTimeUnixNano"]) <= int(asked["endTimeUnixNano"])
    told = {one["key"]: next(iter(one["value"].values())) for one in asked["attributes"]}
    assert told["http.response.status_code"] == "200"
    assert (told["ernie.pipeline"], told["ernie.rows"]) == ("ernie_seqcls", "2")
    assert asked["name"] == "POST /v1/classify"
    assert "parentSpanId" not in refused
    assert refused["traceId"] != TRACE
    assert {"key": "ernie.request_id", "value": {"stringValue": "mine"}} in refused["attributes"]


def test_one_request_in_n_is_traced_and_no_collector_holds_none_up() -> None:
    spans = Spans(Tracing(endpoint="http://127.0.0.1:9", rate=3))
    caller = Caller(new_gateway({URL: FakeServer()}, spans=spans))
    assert [spans.begin("") is not None for _ in range(6)] == [True, False, False] * 2
    assert caller.post("/v1/classify", BODY).status == 200
    started = time.monotonic()
    spans.close()
    assert time.monotonic() - started < 5
