"""One real server for all live tests, with the sample pipelines built by the real command."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ernie_triton.cli import main as build_scripts
from ernie_triton.client.seq_cls import SeqClsClient
from ernie_triton.server.embedded import EmbeddedServer, ServerOptions

ROOT = Path(__file__).parents[1]


def build_sample(pipeline: str, repository: Path, *options: str) -> None:
    """Build one of the committed pipelines into a repository of the test's own."""
    command = ["build", str(ROOT / "pipelines" / pipeline), "--repository", str(repository)]
    assert build_scripts([*command, *options]) == 0


def options_for(repository: Path, *models: str) -> ServerOptions:
    """Free ports, and every model unless some are named."""
    return ServerOptions(
        repository=repository,
        models=models,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        startup_timeout_s=120,
    )


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample pipelines, in FP32 and BF16, packed and padded, in both engines."""
    folder = tmp_path_factory.mktemp("live") / "model_repository"
    for pipeline in sorted((ROOT / "pipelines").glob("*.toml")):
        if "tuned" not in pipeline.name:  # what `perf tune` leaves there
            build_sample(pipeline.name, folder)
    build_sample("tnews.toml", folder, "--name", "tnews_bf16", "--precision", "bf16")
    padded = ("--engine", "onnxruntime", "--layout", "padded")
    build_sample("tnews.toml", folder, "--name", "tnews_padded", *padded)
    return folder


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[EmbeddedServer]:
    """The embedded server on the sample pipelines."""
    with EmbeddedServer(options_for(repository)) as running:
        yield running


@pytest.fixture
def client(server: EmbeddedServer) -> Iterator[SeqClsClient]:
    """A blocking client of the news classifier."""
    with SeqClsClient(server.url) as connected:
        yield connected
