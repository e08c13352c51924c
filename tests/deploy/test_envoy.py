"""The proxy's configuration: Envoy itself takes it, and a dead server costs no request."""

import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.errors import ModelAwayError
from tests.client.grpc_server import Servicer, running_server
from tests.deploy.envoy import CONFIG, config_for, running_envoy
from tests.deploy.tools import tool


def validated(path: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(tool("envoy")), "--mode", "validate", "--config-path", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_envoy_takes_the_configuration_and_no_unknown_field(tmp_path: Path) -> None:
    assert validated(CONFIG).returncode == 0
    wrong = config_for(["a:1"], 1, 2)
    wrong["static_resources"]["clusters"][0]["outlier_detection"]["consecutive_errors"] = 5
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(wrong), encoding="utf-8")
    done = validated(path)
    assert done.returncode == 1
    assert "'consecutive_errors') has unknown fields" in done.stderr


def test_another_server_answers_for_one_that_is_dead() -> None:
    with running_server() as port:
        urls = [f"127.0.0.1:{port}", "127.0.0.1:1"]  # nothing listens at port 1
        with running_envoy(urls) as url, SeqClsClient(url, retries=0) as client:
            for _ in range(20):
                assert client.classify(["一"])[0].best.name == "positive"


class Draining(Servicer):
    """A server whose models are being unloaded, and whose health has not been asked since."""

    def _model(self, name: str, context: grpc.ServicerContext) -> Any:
        message = f"Request for unknown model: '{name}' has no available versions"
        context.abort(grpc.StatusCode.NOT_FOUND, message)


def test_another_server_answers_for_one_that_unloads_its_models() -> None:
    with running_server() as port, running_server(servicer=Draining()) as draining:
        urls = [f"127.0.0.1:{draining}", f"127.0.0.1:{port}"]
        with running_envoy(urls) as url, SeqClsClient(url, retries=0) as client:
            for _ in range(20):
                assert client.classify(["一"])[0].best.name == "positive"
        with (
            running_envoy(urls[:1] * 2) as url,
            SeqClsClient(url, retries=0) as client,
            pytest.raises(ModelAwayError),
        ):
            client.classify(["一"])
