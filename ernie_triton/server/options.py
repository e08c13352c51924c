"""The settings of a server: models, addresses, log, keys."""

from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.log_settings import LogSettings
from ernie_triton.server.telemetry.tracing import Tracing
from ernie_triton.server.tls_front import TlsFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Repository, models and addresses of a server.

    Attributes:
        repository: the model repository.
        models: ensembles to load, with their stages; empty loads all of the repository.
        host: the address to bind the port of gRPC to.
        grpc_port: of the gRPC service, which the clients use; 0 chooses a free port, as for the
            two others.
        http_port: of Triton's HTTP service, which one small request can crash; None leaves it off.
        http_host: the address to bind that one to.
        metrics_port: of Prometheus' metrics.
        metrics_host: the address to bind that one to; whoever reaches it can fill the memory.
        startup_timeout_s: how long loading may take, in seconds.
        log: form and content of the lines that stages write for requests.
        tracing: where traces go; None makes none.
        tls: the certificates of the gRPC port; None leaves it unencrypted.
        client_key: the key that clients must send; empty wants none.
        counts_requests: whether the stages count their requests, in `counts_folder`.
        stage_timeout_s: a stage that has requests and ends none for so long is brought back; 0 lets
            it go on. The stages count their requests then.
    """

    repository: Path
    models: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    grpc_port: int = 8001
    http_port: int | None = None
    http_host: str = "127.0.0.1"
    metrics_port: int = 8002
    metrics_host: str = "127.0.0.1"
    startup_timeout_s: float = 300
    log: LogSettings = field(default_factory=LogSettings)
    tracing: Tracing | None = None
    tls: TlsFiles | None = None
    client_key: str = ""
    counts_requests: bool = False
    stage_timeout_s: float = 0
