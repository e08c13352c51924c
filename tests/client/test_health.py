"""`ernie-triton health` against a gRPC server in this process in place of Triton."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from tritonclient.grpc import model_config_pb2, service_pb2

from tests.client.grpc_server import Servicer, running_server
from tests.commands import Run

_MODELS = {
    "ernie_qa": ("ensemble", ("question", "context")),
    "ernie_qa_engine": ("", ("input_ids",)),
}


class _Health(Servicer):
    """Gives `fault` to every inference if there is one, and remembers what was asked."""

    def __init__(self) -> None:
        self.fault: tuple[grpc.StatusCode, str] | None = None
        self.ready = True
        self.asked: list[tuple[str, dict[str, bytes]]] = []

    def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return service_pb2.ServerReadyResponse(ready=self.ready)

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.name not in _MODELS:
            message = f"Request for unknown model: '{request.name}' is not found"
            context.abort(grpc.StatusCode.NOT_FOUND, message)
        platform, inputs = _MODELS[request.name]
        config = model_config_pb2.ModelConfig(name=request.name, platform=platform)
        for name in inputs:
            config.input.add(name=name, dims=[1])
        return service_pb2.ModelConfigResponse(config=config)

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        names = [tensor.name for tensor in request.inputs]
        values = (content[4:] for content in request.raw_input_contents)
        self.asked.append((request.model_name, dict(zip(names, values, strict=True))))
        if self.fault:
            context.abort(*self.fault)
        return service_pb2.ModelInferResponse(model_name=request.model_name)


@pytest.fixture
def health() -> _Health:
    return _Health()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in (*_MODELS, "not_loaded"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.pbtxt").touch()
    return tmp_path


def _check(run: Run, health: _Health, repository: Path) -> tuple[int, str]:
    with running_server(servicer=health) as port:
        done = run("health", "--url", f"127.0.0.1:{port}", "--repository", repository)
    assert done.stderr == ""
    return done.code, done.stdout


def test_every_input_of_every_ensemble_gets_a_text(
    run: Run, health: _Health, repository: Path
) -> None:
    assert _check(run, health, repository) == (0, "healthy: ernie_qa\n")
    text = "健康".encode()
    assert health.asked == [("ernie_qa", {"question": text, "context": text})]


def test_refusing_work_over_the_limit_is_healthy(
    run: Run, health: _Health, repository: Path
) -> None:
    # As tritonserver 2.51 says it.
    message = "in ensemble 'ernie_qa', Exceeds maximum queue size"
    health.fault = (grpc.StatusCode.UNAVAILABLE, message)
    assert _check(run, health, repository)[0] == 0


def test_a_failing_ensemble_is_named_with_its_error(
    run: Run, health: _Health, repository: Path
) -> None:
    health.fault = (grpc.StatusCode.INTERNAL, "Stub process is not healthy.")
    code, line = _check(run, health, repository)
    assert (code, line.count("\n")) == (1, 1)
    assert line.startswith("unhealthy: a stage of model 'ernie_qa' at 127.0.0.1:")
    assert "Stub process is not healthy" in line


def test_a_server_that_is_not_ready_is_not_asked(
    run: Run, health: _Health, repository: Path
) -> None:
    health.ready = False
    code, line = _check(run, health, repository)
    assert code == 1
    assert line.endswith("is not ready\n")
    assert health.asked == []


def test_a_server_that_is_away_is_one_line(run: Run, repository: Path) -> None:
    done = run("health", "--url", "127.0.0.1:1", "--repository", repository)
    assert (done.code, done.stdout.count("\n")) == (1, 1)
    assert "no Triton server answers at 127.0.0.1:1" in done.stdout
