"""What is refused, with which status, and that the next caller is served."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.client.transport import Connection
from ernie_triton.client.wire import AsyncTransport, Endpoint
from ernie_triton.errors import (
    ClientError,
    ContractError,
    DeadlineExceededError,
    ModelAwayError,
    QueueFullError,
    RequestRefusedError,
    ServerUnavailableError,
)
from ernie_triton.gateway import pipelines
from ernie_triton.gateway.guard.keys import ApiKey, digest_of_key, key_table
from ernie_triton.gateway.pipelines import Pipelines, ServedPipeline, Ways
from ernie_triton.gateway.settings import ConnectionBounds, RequestBounds
from ernie_triton.tasks import TASKS
from tests.client.fakes import FakeModel
from tests.gateway.fakes import URL, Answered, Caller, FakeServer, asked, new_gateway, on_port

GOOD: dict[str, object] = {"model": "ernie_seqcls", "input": ["a"]}
SECRET, OTHER = "et-one", "et-other"


def failing(error: ClientError) -> FakeModel:
    """A model whose every answer is an error; the probe alone is answered."""
    return FakeModel(fault=lambda request: error if request.outputs else None)


def with_model(model: FakeModel) -> FakeServer:
    return FakeServer(models={"ernie_seqcls": model})


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (RequestRefusedError("it is too long; send less"), 422, "request-refused"),
        (QueueFullError("full; try again later"), 503, "queue-full"),
        (DeadlineExceededError("none within 1 s; allow more"), 504, "deadline-exceeded"),
        (ServerUnavailableError(f"none at {URL}; start it"), 503, "server-away"),
        (ModelAwayError("it is loaded; try again"), 503, "pipeline-away"),
        (ContractError("other tensors; name another"), 502, "contract-broken"),
    ],
)
def test_an_error_of_a_client_is_a_problem_with_its_mend(
    error: ClientError, status: int, name: str
) -> None:
    answer = Caller(new_gateway({URL: with_model(failing(error))})).post("/v1/classify", GOOD)
    assert answer.status == answer.json["status"] == status
    assert answer.json["type"].endswith(f":{name}")
    cause, mend = str(error.args[0]).split("; ")
    assert answer.json["mend"] == mend
    assert answer.json["detail"].endswith(cause.replace(URL, "the server"))
    assert URL not in answer.body.decode()
    assert ("retry-after" in answer.headers) == (status == 503)


def test_another_server_of_the_pipeline_answers_where_one_is_away() -> None:
    away = with_model(failing(ServerUnavailableError("none; start it")))
    caller = Caller(new_gateway({URL: away, "near:8001": with_model(FakeModel())}))
    assert [caller.post("/v1/classify", GOOD).status for _ in range(3)] == [200, 200, 200]


def test_a_server_found_while_another_hung_is_asked() -> None:
    servers = {"a:1": FakeServer(), "b:1": FakeServer(away=True)}
    found_by = Pipelines(
        [Connection(endpoint=Endpoint(url=url, model="")) for url in servers],
        Ways(connect=lambda to: servers[to.endpoint.url].transport(to)),
    )

    async def question(served: ServedPipeline) -> str:
        if served.url == "b:1":
            return served.url
        servers["b:1"].away = False
        await found_by.look(60.0)
        raise ServerUnavailableError("ping timeout; start it")

    async def answer() -> str:
        await found_by.look(60.0)
        return await found_by.ask("ernie_seqcls", [TASKS["seq_cls"]], question)

    assert asyncio.run(answer()) == "b:1"


def test_a_name_is_every_server_it_stands_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = "10.0.0.1:1", "10.0.0.2:1"
    servers = {first: FakeServer(), second: FakeServer()}
    names = [[first], [second], [second], []]

    async def look_up(url: str) -> list[str]:
        assert url == "dns:///triton:1"
        if not names[0]:
            raise ServerUnavailableError("no such name; is it right?")
        return names.pop(0)

    def connect(connection: Connection) -> AsyncTransport:
        assert connection.tls_name == "triton"
        assert connection.has_peers
        return servers[connection.endpoint.url].transport(connection)

    async def served() -> list[list[str]]:
        server = Connection(endpoint=Endpoint(url="dns:///triton:1", model=""))
        found_by = Pipelines([server], Ways(connect=connect))
        found = []
        for _ in range(4):
            await found_by.look(60.0)
            found.append(sorted({one.url for one in found_by.by_name()["ernie_seqcls"]}))
            servers[first].away = True
        return found

    monkeypatch.setattr(pipelines, "servers_of_name", look_up)
    assert asyncio.run(served()) == [[first], [first, second], [second], [second]]


def test_readiness_is_of_each_pipeline_and_honest() -> None:
    broken = FakeModel(fault=lambda _: ServerUnavailableError("a stage ended"))
    caller = Caller(new_gateway({URL: FakeServer(models={"a": FakeModel(), "b": broken})}))
    answer = caller.get("/health/ready")
    assert answer.status == 503
    assert {name: one["ready"] for name, one in answer.json["pipelines"].items()} == {
        "a": True,
        "b": False,
    }
    assert caller.get("/health/ready/a").status == 200
    assert caller.get("/health/ready/b").status == 503
    assert caller.get("/health/ready/c").status == 404
    assert caller.get("/health/live").status == 200


def test_a_gateway_without_a_server_is_alive_and_not_ready() -> None:
    caller = Caller(new_gateway({URL: FakeServer(away=True)}))
    assert caller.get("/health/live").status == 200
    assert caller.get("/health/ready").status == 503
    assert caller.post("/v1/classify", GOOD).status == 503


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[" * 100_000, {}, 422),
        (b'{"input":' + b"[" * 40_000, {}, 422),
        (b"\xff\xfe", {}, 400),
        (b'{"input": "\xff"}', {}, 400),
        (b'{"input": "\\ud800"}', {}, 400),
        (b"", {}, 400),
        (
            gzip.compress(b'{"input": "' + b"a" * 10_000_000 + b'"}'),
            {"content_encoding": "gzip"},
            415,
        ),
        (b'{"input": "' + b"a" * 2_000_000 + b'"}', {}, 413),
        (b'{"input": ["' + b'","' * 400 + b'"]}', {}, 413),
        (b'{"input": "a"}', {"x_request_timeout": "soon"}, 400),
        (b'{"input": "a"}', {"x_request_timeout": "-1"}, 400),
        (b'{"input": "a"}', {"x_request_timeout": "5e-324"}, 400),
    ],
)
def test_a_bad_request_is_refused_and_the_next_is_served(
    body: bytes, headers: dict[str, str], status: int
) -> None:
    bounds = RequestBounds(body_bytes=1_000_000, rows=100)
    caller = Caller(new_gateway({URL: FakeServer()}, bounds=bounds))
    answer = caller.post("/v1/classify", body, **headers)
    assert answer.status == status, answer.body
    assert answer.json["mend"]
    assert caller.post("/v1/classify", GOOD).status == 200


def test_nested_brackets_in_a_member_that_is_ignored_are_refused() -> None:
    caller = Caller(new_gateway({URL: FakeServer()}))
    answer = caller.post("/v1/embeddings", b'{"input": "1 2", "x":' + b"[" * 40_000)
    assert (answer.status, answer.json["type"].rpartition(":")[2]) == (400, "not-json")


def test_too_many_rows_that_look_few_are_counted_after_parsing() -> None:
    caller = Caller(new_gateway({URL: FakeServer()}, bounds=RequestBounds(rows=8)))
    assert caller.post("/v1/classify", {"input": ["a"] * 8}).status == 200
    assert caller.post("/v1/classify", {"input": ["a"] * 9}).status == 413


def test_paths_and_methods_that_are_not_there() -> None:
    caller = Caller(new_gateway({URL: FakeServer()}))
    assert caller.get("/v2/models").status == 404
    refused = caller.get("/v1/classify")
    assert (refused.status, refused.headers["allow"]) == (405, "POST")
    assert caller.post("/v1/models", {}).status == 405


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(
        key_table("all", ApiKey(sha256=digest_of_key(SECRET)))
        + key_table("some", ApiKey(sha256=digest_of_key(OTHER), pipelines=("ernie_qa",))),
        encoding="utf-8",
    )
    return path


def test_a_key_is_wanted_known_and_for_its_pipelines(keys: Path) -> None:
    caller = Caller(new_gateway({URL: FakeServer()}, keys=keys))

    def status(**headers: str) -> int:
        return caller.post("/v1/classify", GOOD, **headers).status

    assert status() == 401
    assert status(authorization="Bearer et-wrong") == 401
    assert status(authorization=f"Bearer {SECRET}") == 200
    assert status(x_api_key=SECRET) == 200
    assert status(authorization=f"Bearer {OTHER}") == 403
    assert caller.get("/v1/models").status == 401
    assert caller.get("/health/ready").status == 200
    assert SECRET not in keys.read_text(encoding="utf-8")


def test_a_key_that_was_taken_back_is_refused_soon(keys: Path) -> None:
    caller = Caller(new_gateway({URL: FakeServer()}, keys=keys))
    header = {"authorization": f"Bearer {SECRET}"}
    assert caller.post("/v1/classify", GOOD, **header).status == 200
    keys.write_text(key_table("new", ApiKey(sha256=digest_of_key(OTHER))), encoding="utf-8")
    time.sleep(1.1)
    assert caller.post("/v1/classify", GOOD, **header).status == 401
    assert caller.post("/v1/classify", GOOD, authorization=f"Bearer {OTHER}").status == 200


async def statuses(gateway: Any, requests: int, **headers: str) -> list[Answered]:
    await gateway.parts.pipelines.look(0.0)
    body = json.dumps(GOOD).encode()
    calls = [asked(gateway, "POST", "/v1/classify", body, headers) for _ in range(requests)]
    return list(await asyncio.gather(*calls))


def test_no_more_than_a_worker_takes_are_answered_at_once() -> None:
    slow = FakeServer(longest_s=0.2)
    gateway = new_gateway({URL: slow}, bounds=RequestBounds(in_flight=2))
    found = sorted(answer.status for answer in asyncio.run(statuses(gateway, 5)))
    assert found == [200, 200, 503, 503, 503]


def test_a_caller_that_leaves_ends_its_request_at_the_server() -> None:
    cancelled: list[bool] = []

    class Slow(FakeServer):
        def transport(self, connection: Any) -> Any:
            made = super().transport(connection)
            answer = made.infer

            async def infer(request: Any, timeout_s: float) -> Any:
                if not request.outputs:
                    return await answer(request, timeout_s)
                try:
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    cancelled.append(True)
                    raise

            made.infer = infer  # type: ignore[method-assign]
            return made

    gateway = new_gateway({URL: Slow()})
    with on_port(gateway, ConnectionBounds()) as port:
        body = json.dumps(GOOD).encode()
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(head(len(body)) + body)
            time.sleep(0.3)
            assert not cancelled
        wait_until(lambda: bool(cancelled))


def head(length: int, path: str = "/v1/classify") -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n".encode()


def wait_until(is_so: Any, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_slow_and_half_open_callers_end_while_others_are_served() -> None:
    bounds = ConnectionBounds(headers_s=3.0, body_s=3.0, header_bytes=2000, connections=60)
    gateway = new_gateway({URL: FakeServer()}, connections=bounds)
    with contextlib.ExitStack() as closed, on_port(gateway, bounds) as port:

        def connected(first: bytes = b"") -> socket.socket:
            caller = closed.enter_context(socket.create_connection(("127.0.0.1", port)))
            caller.sendall(first)
            return caller

        half_open = [connected() for _ in range(1000)]
        dribbling = connected(b"POST /v1/classify HTTP/1.1\r\n")
        large = connected(b"GET / HTTP/1.1\r\n" + b"x: " + b"a" * 300_000)
        slow_body = connected(head(100) + b'{"input"')
        body = json.dumps(GOOD).encode()
        good = connected()
        for _ in range(2):
            good.sendall(head(len(body)) + body)
            assert status_of(good) == 200
        assert received(dribbling).startswith(b"HTTP/1.1 408")
        assert b"431" in received(large)[:20]
        for one in (*half_open, slow_body):
            received(one)


def status_of(caller: socket.socket) -> int:
    """The status of the next answer on a connection, which stays open."""
    answer = http.client.HTTPResponse(caller)
    answer.begin()
    answer.read()
    return answer.status


def received(caller: socket.socket) -> bytes:
    """All that comes until the other side closes, which must be soon."""
    caller.settimeout(20)
    parts = []
    with caller:
        try:
            while part := caller.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
    return b"".join(parts)


def test_headers_and_body_come_as_one_and_headers_alone_come_too() -> None:
    with on_port(new_gateway({URL: FakeServer()}), ConnectionBounds()) as port:
        for method, ending in (("GET", "live"), ("HEAD", "")):
            for more in ("", "connection: close\r\n"):
                with socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
                    head = f"{method} /health/live HTTP/1.1\r\nhost: a\r\n{more}\r\n"
                    caller.sendall(head.encode())
                    first = caller.recv(65536)
                    assert first.startswith(b"HTTP/1.1 200")
                    assert ending.encode() in first.partition(b"\r\n\r\n")[2]


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    gateway = new_gateway({URL: FakeServer()})
    with on_port(gateway, ConnectionBounds(unread_s=0.5)) as port:
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        caller.connect(("127.0.0.1", port))
        caller.settimeout(20)
        with caller, pytest.raises(OSError, match=r"reset|Broken pipe"):
            ask_without_reading(caller)


def ask_without_reading(caller: socket.socket) -> None:
    for _ in range(4000):
        caller.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n" * 20)
        time.sleep(0.01)
