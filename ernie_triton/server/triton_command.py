"""The command line of tritonserver."""

from dataclasses import dataclass
from pathlib import Path

from ernie_triton.server.control import closing_options
from ernie_triton.server.installation.leftovers import owned_prefix
from ernie_triton.server.options import ServerOptions
from ernie_triton.server.wheel import WheelFiles
from ernie_triton.settings import EMBEDDED_CONFIG_NAME

EXIT_TIMEOUT_S = 5
"""Seconds that Triton waits for its models when it ends."""

# Clients of several servers ping each one every two seconds (`client/addresses`); by itself Triton
# takes that for abuse when a request runs long, and drops the connection.
_PINGS = "--grpc-http2-min-recv-ping-interval-without-data=1000"


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonRun:
    """The paths, the key and the ports of one run of tritonserver.

    Attributes:
        files: of its wheel.
        models: the folder of the models that it serves.
        folder: of the run itself: backends, and the socket before which TLS is.
        key: opens what may load and unload models.
        grpc_port: of the gRPC service.
        metrics_port: of the metrics.
        http_port: of the HTTP service; None leaves it off.
    """

    files: WheelFiles
    models: Path
    folder: Path
    key: str
    grpc_port: int
    metrics_port: int
    http_port: int | None


def triton_command(options: ServerOptions, run: TritonRun) -> list[str]:
    """Return the words that start a server."""
    command = [
        str(run.files.tritonserver),
        f"--model-repository={run.models}",
        f"--backend-directory={run.folder}/backends",
        f"--model-config-name={EMBEDDED_CONFIG_NAME}",
        "--model-control-mode=explicit",
        *closing_options(run.key, options.client_key),
        *_http_options(options, run),
        *_grpc_options(options, run),
        _PINGS,
        f"--metrics-address={options.metrics_host}",
        f"--metrics-port={run.metrics_port}",
        f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
        f"--backend-config=python,shm-region-prefix-name={owned_prefix()}",
        "--metrics-config=summary_latencies=true",
        "--metrics-config=summary_quantiles=0.5:0.05,0.99:0.001",
    ]
    if options.tracing is not None:
        command.extend(options.tracing.server_options())
    command.extend(f"--load-model={model}" for model in options.models or ("*",))
    return command


def grpc_socket(folder: Path) -> Path:
    """Return Triton's own socket in the folder of a run, where TLS is before it."""
    return folder / "grpc:1"


def _grpc_options(options: ServerOptions, run: TritonRun) -> tuple[str, ...]:
    if options.tls is None:
        return (f"--grpc-address={options.host}", f"--grpc-port={run.grpc_port}")
    # Triton puts a colon and the port behind any address: they are part of the file's name.
    path, _, port = str(grpc_socket(run.folder)).rpartition(":")
    return (f"--grpc-address=unix:{path}", f"--grpc-port={port}")


def _http_options(options: ServerOptions, run: TritonRun) -> tuple[str, ...]:
    # Variables of the environment could open the second HTTP service, Vertex AI's.
    if run.http_port is None:
        return ("--allow-http=false", "--allow-vertex-ai=false")
    return (
        "--allow-vertex-ai=false",
        f"--http-address={options.http_host}",
        f"--http-port={run.http_port}",
    )
