from collections.abc import Iterator

import pytest

from tests.clients.grpc_server import running_server


@pytest.fixture(scope="session")
def grpc_url() -> Iterator[str]:
    """Address of a gRPC server in this process that speaks Triton's protocol."""
    with running_server() as port:
        yield f"127.0.0.1:{port}"
