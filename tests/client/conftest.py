from collections.abc import Callable, Iterator

import pytest

from ernie_triton.client.cli import run as command
from ernie_triton.client.transport import Connection
from tests.client.fakes import FakeAsyncTransport, FakeModel
from tests.client.grpc_server import running_server


@pytest.fixture(scope="session")
def grpc_url() -> Iterator[str]:
    """Address of a gRPC server in this process that speaks Triton's protocol."""
    with running_server() as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[FakeModel], FakeModel]]:
    """Puts a model in memory at the far end of every transport that a command makes."""
    served: list[FakeModel] = []

    def served_model(model: FakeModel) -> FakeModel:
        def transport(_: Connection) -> FakeAsyncTransport:
            return FakeAsyncTransport(model, longest_s=0.001)

        monkeypatch.setattr(command, "GrpcAsyncTransport", transport)
        served.append(model)
        return model

    yield served_model
    assert all(model.closed for model in served)
