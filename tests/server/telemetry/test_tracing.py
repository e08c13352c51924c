"""The address and the rate of traces."""

import pytest

from ernie_triton.errors import UsageError
from ernie_triton.server.telemetry.tracing import Tracing


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://localhost:4318", "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
        ("https://collector/otlp/v1/traces", "https://collector/otlp/v1/traces"),
    ],
)
def test_an_address_without_a_path_gets_opentelemetry_s_own(endpoint: str, url: str) -> None:
    tracing = Tracing(endpoint=endpoint, rate=7)
    assert tracing.url == url
    assert f"--trace-config=opentelemetry,url={url}" in tracing.server_options()
    assert "--trace-config=rate=7" in tracing.server_options()


@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://localhost:4317", "", "http://"])
def test_an_address_of_another_kind_is_refused(endpoint: str) -> None:
    with pytest.raises(UsageError, match="expected an address of OTLP over HTTP"):
        Tracing(endpoint=endpoint)


def test_a_rate_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match="the trace rate is 0"):
        Tracing(endpoint="http://localhost:4318", rate=0)
