"""Doors that a served repository keeps shut: models, shared memory, traces, logs, HTTP."""

import base64
import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as triton

from ernie_triton.errors import ServerError
from ernie_triton.server.control import Control
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions

pytestmark = pytest.mark.live

Call = Callable[[triton.InferenceServerClient], Any]

_EVIL = {
    "parameters": {
        "config": json.dumps({"name": "evil", "backend": "python"}),
        "file:1/model.py": base64.b64encode(b"import os").decode(),
    }
}


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.load_model("evil", config="{}", files={"file:1/model.py": b""}),
        lambda client: client.unload_model("ernie_seqcls"),
        lambda client: client.get_model_repository_index(),
        lambda client: client.register_system_shared_memory("mine", "/mine", 64),
        lambda client: client.get_cuda_shared_memory_status(),
        lambda client: client.update_trace_settings(settings={"trace_level": ["TENSORS"]}),
        lambda client: client.update_log_settings({"log_verbose_level": 9}),
    ],
)
def test_a_stranger_may_not_call_it(server: EmbeddedServer, call: Call) -> None:
    with (
        triton.InferenceServerClient(server.url) as client,
        pytest.raises(triton.InferenceServerException, match="restricted"),
    ):
        call(client)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/repository/models/evil/load",
        "/v2/repository/models/ernie_seqcls/unload",
        "/v2/repository/index",
        "/v2/systemsharedmemory/region/mine/register",
        "/v2/trace/setting",
        "/v2/logging",
    ],
)
def test_a_stranger_may_not_over_http(server: EmbeddedServer, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=30)
    connection.request("POST", path, body=json.dumps(_EVIL))
    answer = connection.getresponse()
    assert (answer.status, b"restricted" in answer.read()) == (403, True)
    connection.close()


def test_no_key_stands_in_the_list_of_processes(server: EmbeddedServer) -> None:
    command = Path(f"/proc/{server.pid}/cmdline").read_text()
    hidden = [word for word in command.split("\0") if "ernie-admin=" in word]
    assert {word.rpartition("=")[2] for word in hidden} == {"*" * 64}
    assert len(hidden) == 2


def test_another_key_opens_nothing(server: EmbeddedServer) -> None:
    stranger = Control(server.url, "a" * 64)
    with pytest.raises(ServerError, match=r"did not unload ernie_seqcls: .*restricted"):
        stranger.unload("ernie_seqcls")
    stranger.close()
    assert "ernie_seqcls" in server.models()


def test_the_servers_own_key_unloads_and_loads(server: EmbeddedServer) -> None:
    server.control.unload("tnews_padded", with_stages=True)
    assert not server.control.is_loaded("tnews_padded")
    server.control.load("tnews_padded")
    assert server.control.is_loaded("tnews_padded")
    with pytest.raises(ServerError, match="did not load nosuch"):
        server.control.load("nosuch")


def test_http_is_off_and_metrics_are_of_loopback_unless_asked_for(tmp_path: Path) -> None:
    options = ServerOptions(repository=tmp_path, host="0.0.0.0")
    assert (options.http_port, options.http_host) == (None, "127.0.0.1")
    assert options.metrics_host == "127.0.0.1"


_NESTED = b"[" * 40_000
_CHUNKS = b"1\r\n[\r\n" * 200_000 + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("header", "body"),
    [(f"Content-Length: {len(_NESTED)}", _NESTED), ("Transfer-Encoding: chunked", _CHUNKS)],
)
def test_the_metrics_port_survives_what_ends_the_http_service(
    server: EmbeddedServer, header: str, body: bytes
) -> None:
    for path in ("/metrics", "/v2/models/ernie_seqcls/infer"):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.metrics_port), timeout=60) as stream:
            stream.sendall(head.encode() + body)
            assert b" 405 " in stream.recv(64)
    assert server.control.ready()
