"""The programs and calls of the guides in Python, Java, Go and on the wire, on a real server."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from tritonclient.grpc import service_pb2, service_pb2_grpc

from ernie_triton.server.embedded import EmbeddedServer
from tests.docs.guides import GUIDES
from tests.gateway.processes import running_gateway
from tests.paths import ROOT

pytestmark = pytest.mark.live

TASKS = GUIDES["docs/tasks.md"]
GATEWAY = "localhost:8080"


def wants(program: str) -> pytest.MarkDecorator:
    missing = shutil.which(program) is None
    return pytest.mark.skipif(missing, reason=f"{program} is not installed")


def run(words: Sequence[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands_of(program: str) -> list[list[str]]:
    """The guides' commands that start a program, as words."""
    every = [shlex.split(command) for guide in GUIDES.values() for command in guide.commands]
    return [words for words in every if words[0] == program]


@pytest.fixture(scope="module")
def gateway(server: EmbeddedServer) -> Iterator[str]:
    """The address of a gateway before the server."""
    with running_gateway("--url", server.url) as line:
        yield line.address


def at(server: EmbeddedServer, words: Sequence[str]) -> list[str]:
    """A command's words with the server's own addresses."""
    http = f"{server.url.rpartition(':')[0]}:{server.http_port}"
    here = [word.replace("localhost:8000", http) for word in words]
    return [word.replace("localhost:8001", server.url) for word in here]


@pytest.mark.parametrize(
    "block", [block for guide in GUIDES.values() for block in guide.code("python")]
)
def test_a_python_program_runs(
    block: str, server: EmbeddedServer, request: pytest.FixtureRequest
) -> None:
    code = block.replace("localhost:8001", server.url)
    if GATEWAY in code:
        code = code.replace(GATEWAY, request.getfixturevalue("gateway"))
    printed = run([sys.executable, "-c", code], ROOT, PYTHONPATH=str(ROOT))
    assert len(printed.splitlines()) >= 2


@wants("curl")
@pytest.mark.parametrize("words", [one for one in commands_of("curl") if GATEWAY in one[2]])
def test_a_call_to_the_gateway_is_answered(words: list[str], gateway: str, tmp_path: Path) -> None:
    words = [word.replace(GATEWAY, gateway) for word in words]
    [result] = json.loads(run(words, tmp_path))["results"]
    shown = json.dumps(result, ensure_ascii=False)
    assert any(word in shown for word in ("news_finance", "新华社", "2023米"))


@wants("curl")
@pytest.mark.parametrize("words", [one for one in commands_of("curl") if GATEWAY not in one[2]])
def test_a_call_over_http_is_answered(
    words: list[str], server: EmbeddedServer, tmp_path: Path
) -> None:
    outputs = json.loads(run(at(server, words), tmp_path))["outputs"]
    answer = {output["name"]: output["data"] for output in outputs}
    assert answer["label_name"] == ["news_finance"]


def test_the_message_of_grpcurl_is_answered(server: EmbeddedServer) -> None:
    [words] = commands_of("grpcurl")
    message = json.loads(words[words.index("-d") + 1])
    request = json_format.ParseDict(message, service_pb2.ModelInferRequest())
    service, method = words[-1].split("/")
    assert service == service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
    with grpc.insecure_channel(server.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        reply = getattr(stub, method)(request)
    length, name = reply.raw_output_contents[0][:4], reply.raw_output_contents[0][4:]
    assert int.from_bytes(length, "little") == len(name)
    assert name == b"news_finance"


def test_the_text_of_grpcurl_is_the_one_in_the_guide() -> None:
    text, decoded = re.findall(r"`([\w+/=]+)` is (\S+?)\.", TASKS.prose)[0]
    contents = json_format.ParseDict(
        {"bytes_contents": [text]}, service_pb2.InferTensorContents()
    ).bytes_contents
    assert contents[0].decode() == decoded
    assert text in commands_of("grpcurl")[0][commands_of("grpcurl")[0].index("-d") + 1]


@wants("javac")
def test_the_java_program_is_compiled_and_answered(server: EmbeddedServer, tmp_path: Path) -> None:
    [program] = TASKS.code("java")
    (tmp_path / "Ask.java").write_text(program, encoding="utf-8")
    [compiling], [asking] = commands_of("javac"), commands_of("java")
    run(compiling, tmp_path, LC_ALL="C")
    answer = json.loads(run(at(server, asking), tmp_path))
    assert answer["outputs"][0]["data"] == ["news_finance"]


@wants("go")
def test_the_go_program_is_answered(server: EmbeddedServer, tmp_path: Path) -> None:
    [program] = TASKS.code("go")
    (tmp_path / "ask.go").write_text(program, encoding="utf-8")
    [asking] = commands_of("go")
    cache = str(tmp_path / "cache")
    printed = run(at(server, asking), tmp_path, GOCACHE=cache, GO111MODULE="off")
    assert "label_name news_finance" in printed
