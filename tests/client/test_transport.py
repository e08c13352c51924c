"""The seam to tritonclient, against a real gRPC server."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from tritonclient.utils import InferenceServerException

from ernie_triton.client.transport import Connection, GrpcAsyncTransport, GrpcTransport
from ernie_triton.client.wire import Endpoint, InferRequest, Reply, RequestedOutput
from ernie_triton.errors import (
    ClientError,
    ContractError,
    DeadlineExceededError,
    ModelNotReadyError,
    QueueFullError,
    RequestRefusedError,
    ServerUnavailableError,
)
from tests.client.grpc_server import running_server

_T = TypeVar("_T")


def connection(url: str, model: str = "ernie_seqcls", ca_file: Path | None = None) -> Connection:
    return Connection(endpoint=Endpoint(url=url, model=model), ca_file=ca_file)


def request_of(*texts: bytes, outputs: tuple[RequestedOutput, ...] = ()) -> InferRequest:
    asked = outputs or (RequestedOutput(name="label_name"), RequestedOutput(name="truncated"))
    return InferRequest(columns={"text": list(texts)}, outputs=asked)


def infer(connection: Connection, request: InferRequest, timeout_s: float = 10.0) -> Reply:
    transport = GrpcTransport(connection)
    try:
        return transport.infer(request, timeout_s)
    finally:
        transport.close()


def infer_async(connection: Connection, request: InferRequest, timeout_s: float = 10.0) -> Reply:
    async def run() -> Reply:
        transport = GrpcAsyncTransport(connection)
        try:
            return await transport.infer(request, timeout_s)
        finally:
            await transport.close()

    return run_async(run())


def run_async(coroutine: Coroutine[Any, Any, _T]) -> _T:
    return asyncio.run(coroutine)


both = pytest.mark.parametrize("call", [infer, infer_async])


@both
def test_rows_come_back_by_the_names_of_the_outputs(call: Any, grpc_url: str) -> None:
    answer = call(connection(grpc_url), request_of("你好".encode(), b""))
    assert answer["label_name"].tolist() == [[b"positive"], [b"positive"]]
    assert answer["truncated"].tolist() == [[True], [False]]


@both
def test_classification_comes_back_as_entries_best_first(call: Any, grpc_url: str) -> None:
    outputs = (RequestedOutput(name="scores", class_count=2),)
    answer = call(connection(grpc_url), request_of(b"x", outputs=outputs))
    assert answer["scores"].tolist() == [[b"0.750000:1:positive", b"0.250000:0:negative"]]


@both
@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (b"refuse", RequestRefusedError, "the text is not UTF-8"),
        (b"shape", RequestRefusedError, "unexpected shape"),
        (b"full", QueueFullError, "Exceeds maximum queue size"),
        (b"stopping", ServerUnavailableError, "Server is stopping"),
        (b"broken", ServerUnavailableError, "broke the call off"),
        (b"foreign", ContractError, "no Triton server"),
    ],
)
def test_an_error_of_the_server_becomes_the_error_that_says_why(
    call: Any, grpc_url: str, text: bytes, error: type[ClientError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        call(connection(grpc_url), request_of(text))
    assert type(caught.value) is error
    assert isinstance(caught.value.__cause__, InferenceServerException)
    assert grpc_url in str(caught.value)


@both
def test_the_request_s_id_and_its_span_reach_the_server(call: Any, grpc_url: str) -> None:
    columns = {"text": [b"names"]}
    outputs = (RequestedOutput(name="label_name"),)
    request = InferRequest(
        columns=columns, outputs=outputs, request_id="a-7", headers={"traceparent": "00-b-c-01"}
    )
    with pytest.raises(RequestRefusedError, match="request 'a-7' of the span '00-b-c-01'"):
        call(connection(grpc_url), request)
    with pytest.raises(RequestRefusedError, match="request '' of the span None"):
        call(connection(grpc_url), InferRequest(columns=columns, outputs=outputs))


@both
def test_an_unknown_model_is_not_taken_for_an_absent_server(call: Any, grpc_url: str) -> None:
    with pytest.raises(ModelNotReadyError, match="has no 'nope' ready"):
        call(connection(grpc_url, model="nope"), request_of(b"x"))


@both
def test_a_late_answer_is_given_up_at_the_deadline(call: Any, grpc_url: str) -> None:
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError, match=r"within 0\.2 s"):
        call(connection(grpc_url), request_of(b"slow"), timeout_s=0.2)
    assert time.monotonic() - started < 0.9


@both
def test_a_closed_port_is_an_absent_server(call: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ServerUnavailableError, match=f"no Triton server answers at {url}"):
            call(connection(url), request_of(b"x"))


def test_facts_and_ready_models_are_read_from_the_server(grpc_url: str) -> None:
    async def ask() -> tuple[Any, Any]:
        transport = GrpcAsyncTransport(connection(grpc_url))
        try:
            return await transport.facts(5.0), await transport.ready_models(5.0)
        finally:
            await transport.close()

    transport = GrpcTransport(connection(grpc_url))
    facts = transport.facts(5.0)
    assert (facts.max_batch_size, facts.inputs) == (2, ("text",))
    assert facts.outputs["scores"] == (2,)
    assert set(facts.outputs) == {"scores", "label", "confidence", "label_name", "truncated"}
    assert transport.ready_models(5.0) == ("ernie_seqcls",)
    transport.close()
    assert run_async(ask()) == (facts, ("ernie_seqcls",))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and its self-signed certificate for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, pem = folder / "key.pem", folder / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", pem], check=True, capture_output=True)
    return key, pem


@both
def test_a_ca_file_turns_on_tls_and_is_trusted(call: Any, certificate: tuple[Path, Path]) -> None:
    key, pem = certificate
    pairs = [(key.read_bytes(), pem.read_bytes())]
    with running_server(grpc.ssl_server_credentials(pairs)) as port:
        url = f"127.0.0.1:{port}"
        answer = call(connection(url, ca_file=pem), request_of(b"x"))
        assert answer["label_name"].tolist() == [[b"positive"]]
        with pytest.raises(ServerUnavailableError):
            call(connection(url), request_of(b"x"))


def test_an_unreadable_ca_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    with pytest.raises(ClientError, match=f"the CA file {missing} cannot be read"):
        GrpcTransport(connection("127.0.0.1:1", ca_file=missing))
