"""Traces of requests: Triton's own, sent to an OpenTelemetry collector over HTTP.

Triton makes a span for each request, for each of its stages, and for the parts of each. Where a
client sends a `traceparent`, the request's span belongs to the caller's.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from ernie_triton.errors import UsageError

_TRACES_PATH = "/v1/traces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """Destination and rate of traces.

    Attributes:
        endpoint: the collector's address, as in http://localhost:4318; without a path,
            OpenTelemetry's own is added.
        rate: one request in so many is traced.
        service: the name that the traces carry.
    """

    endpoint: str
    rate: int = 1
    service: str = "ernie-triton"

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"the OTLP endpoint is {self.endpoint!r}; expected an address of OTLP over HTTP, "
                "as in http://localhost:4318"
            )
        if self.rate < 1:
            raise UsageError(f"the trace rate is {self.rate}; expected at least 1")

    @property
    def url(self) -> str:
        """The address that spans are posted to."""
        has_path = urlsplit(self.endpoint).path.strip("/")
        return self.endpoint if has_path else self.endpoint.rstrip("/") + _TRACES_PATH

    def server_options(self) -> tuple[str, ...]:
        """The options of tritonserver."""
        return (
            "--trace-config=mode=opentelemetry",
            "--trace-config=level=TIMESTAMPS",
            f"--trace-config=rate={self.rate}",
            f"--trace-config=opentelemetry,url={self.url}",
            f"--trace-config=opentelemetry,resource=service.name={self.service}",
        )
