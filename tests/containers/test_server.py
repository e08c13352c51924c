"""The container's exact command, run by the real tritonserver on what its build made."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import tritonclient.grpc as triton

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.errors import RequestRefusedError, ServerUnavailableError
from ernie_triton.server.builds.recording import accept_build
from ernie_triton.server.control import Control
from ernie_triton.server.stage_processes import stage_processes
from tests.certificates import KEY, make_certificates
from tests.containers.conftest import ContainerServer, start, stop
from tests.containers.programs import ROOT

pytestmark = pytest.mark.live

_STAGES = {"ernie_seqcls_tokenizer", "ernie_seqcls_engine", "ernie_seqcls_postprocess"}


def _post(url: str, body: bytes = b"{}", **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(
        url, data=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _server_process(running: ContainerServer) -> int:
    """The supervisor's only child."""
    threads = Path(f"/proc/{running.process.pid}/task").iterdir()
    lists = [(thread / "children").read_text(encoding="ascii") for thread in threads]
    return int(" ".join(lists).split()[0])


def _wait_for(running: ContainerServer, line: str) -> None:
    deadline = time.monotonic() + 60
    while line not in running.log.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _health(
    running: ContainerServer, repository: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    command = ["-m", "ernie_triton", "health"]
    options = ["--url", running.grpc_url, "--repository", str(repository), *more]
    return subprocess.run([sys.executable, *command, *options], capture_output=True, text=True)


def test_it_answers_a_real_client(container_server: ContainerServer) -> None:
    with SeqClsClient(container_server.grpc_url) as client:
        answers = list(client.classify(["国足客场2:1逆转取胜", "央行宣布下调存款准备金率"]))
    assert [answer.best.name for answer in answers] == ["news_sports", "news_finance"]


def test_the_client_in_the_image_asks_it(container_server: ContainerServer) -> None:
    command = ["-m", "clients.seq_cls_grpc_client", "--url", container_server.grpc_url]
    done = subprocess.run(
        [sys.executable, *command, "--text", "国足客场2:1逆转取胜"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "news_sports" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "path",
    [
        "v2/systemsharedmemory/region/mine/register",
        "v2/cudasharedmemory/status",
        "v2/repository/index",
        "v2/repository/models/ernie_seqcls/unload",
        "v2/logging",
        "v2/trace/setting",
    ],
)
def test_http_refuses_what_only_an_administrator_may(
    container_server: ContainerServer, path: str
) -> None:
    code, answer = _post(f"{container_server.http_url}/{path}")
    assert code == 403, answer
    assert "restricted" in answer


def test_grpc_refuses_what_only_an_administrator_may(container_server: ContainerServer) -> None:
    client = triton.InferenceServerClient(container_server.grpc_url)
    calls = (
        lambda: client.register_system_shared_memory("mine", "/mine", 64),
        client.get_cuda_shared_memory_status,
        client.get_model_repository_index,
        lambda: client.unload_model("ernie_seqcls"),
        client.get_log_settings,
        client.get_trace_settings,
    )
    try:
        for call in calls:
            with pytest.raises(triton.InferenceServerException, match="restricted"):
                call()
        key = {"triton-grpc-protocol-ernie-admin": "the-key"}
        assert client.get_model_repository_index(headers=key).models
    finally:
        client.close()


def test_the_administrators_key_opens_them(container_server: ContainerServer) -> None:
    url = f"{container_server.http_url}/v2/repository/index"
    assert _post(url, ernie_admin="the-key")[0] == 200
    assert _post(url, ernie_admin="%ADMIN_KEY%")[0] == 403


def test_its_health_is_that_of_every_ensemble(
    container_server: ContainerServer, container_repository: Path
) -> None:
    done = _health(container_server, container_repository)
    assert (done.returncode, done.stdout) == (0, "healthy: ernie_seqcls\n")


def test_a_repository_without_an_ensemble_is_not_healthy(
    container_server: ContainerServer, tmp_path: Path
) -> None:
    done = _health(container_server, tmp_path)
    assert done.returncode == 1
    assert done.stdout == f"unhealthy: the server has no ensemble of {tmp_path}\n"


def test_its_stages_need_less_shared_memory_than_the_container_has(
    container_server: ContainerServer,
) -> None:
    body = {
        "inputs": [
            {"name": "text", "shape": [64, 1], "datatype": "BYTES", "data": ["新" * 10_000] * 64}
        ]
    }
    url = f"{container_server.http_url}/v2/models/ernie_seqcls/infer"
    assert _post(url, json.dumps(body).encode())[0] == 200
    mebibytes = 0.0
    stages = stage_processes(_server_process(container_server))
    assert set(stages.values()) == _STAGES
    for pid in stages:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        region = next(word for word in words if word.startswith("triton_python_backend_shm"))
        mebibytes += (Path("/dev/shm") / region).stat().st_size / 2**20
    # One pipeline of the 512 MiB; the seven samples' 21 stages at this rate need a third of it.
    assert 3 <= mebibytes <= 512 / 7 / 3


def test_a_dead_stage_makes_it_unhealthy_until_it_is_back(
    container_repository: Path, tmp_path: Path
) -> None:
    running = start(container_repository, tmp_path)
    try:
        _wait_for(running, "ready: watching the processes of 3 stages")
        stages = {name: pid for pid, name in stage_processes(_server_process(running)).items()}
        assert set(stages) == _STAGES
        # The supervisor would bring it back at once: it is held for the health check.
        running.process.send_signal(signal.SIGSTOP)
        os.kill(stages["ernie_seqcls_postprocess"], signal.SIGKILL)
        done = _health(running, container_repository)
        assert done.returncode == 1
        assert "model 'ernie_seqcls' at" in done.stdout
        with contextlib.closing(Control(running.grpc_url)) as control:
            assert control.ready()  # what Triton itself thinks of it
        running.process.send_signal(signal.SIGCONT)
        _wait_for(running, "the stage ernie_seqcls_postprocess was killed by SIGKILL")
        _wait_for(running, "ernie_seqcls back after")
        assert _health(running, container_repository).returncode == 0
    finally:
        running.process.send_signal(signal.SIGCONT)
        stop(running)


def test_with_tls_and_a_key_it_is_closed_and_takes_a_new_build(
    container_repository: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(container_repository, repository)
    (tmp_path / "secrets").mkdir()
    secrets = make_certificates(tmp_path / "secrets")
    settings = {
        "TLS_CERT": "/secrets/server.pem",
        "TLS_KEY": "/secrets/server.key",
        "CLIENT_CA": "/secrets/ca.pem",
        "API_KEY_FILE": "/secrets/api_key",
    }
    running = start(repository, tmp_path, secrets, settings)

    def client(key: str = KEY, name: str = "client") -> SeqClsClient:
        return SeqClsClient(
            running.grpc_url,
            retries=0,
            timeout_s=30,
            ca_file=secrets / "ca.pem",
            certificate=secrets / f"{name}.pem",
            key=secrets / f"{name}.key",
            api_key=key,
        )

    def command(*words: str) -> str:
        port = ["--grpc-port", str(running.grpc_port)]
        done = subprocess.run(
            [sys.executable, "-m", "ernie_triton", *words, *port], capture_output=True, text=True
        )
        return done.stdout or done.stderr

    try:
        _wait_for(running, "ready: watching the processes of 3 stages")
        with client() as known:
            assert known.classify(["国足客场2:1逆转取胜"])[0].best.name == "news_sports"
        with client(key="") as keyless, pytest.raises(RequestRefusedError, match="key"):
            keyless.classify(["x"])
        with client(name="renewed") as stranger, pytest.raises(ServerUnavailableError):
            stranger.classify(["x"])
        options = [f"--inner-port={running.inner_port}", f"--api-key-file={secrets / 'api_key'}"]
        health = _health(running, repository, *options)
        assert (health.returncode, health.stdout) == (0, "healthy: ernie_seqcls\n")
        identity = another_build(repository, "ernie_seqcls")
        assert command("reload", "ernie_seqcls").startswith(
            f"ernie_seqcls serves build {identity}; "
        )
        with client() as known:
            assert known.classify(["国足客场2:1逆转取胜"])[0].best.name == "news_sports"
        assert f"{identity} is kept for rollback" in command("rollback", "ernie_seqcls")
    finally:
        assert stop(running) == 0
    assert list((tmp_path / "snapshots").iterdir()) == []


def another_build(repository: Path, name: str) -> str:
    """Make another build of a pipeline by a comment in its configuration; return its identity."""
    config = repository / name / "config.pbtxt"
    config.write_text(f"{config.read_text(encoding='utf-8')}# another\n", encoding="utf-8")
    return accept_build(repository, name).identity


def test_a_stop_is_graceful_and_a_success(container_repository: Path, tmp_path: Path) -> None:
    running = start(container_repository, tmp_path)
    stages = stage_processes(_server_process(running))
    assert stop(running) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in stages)
