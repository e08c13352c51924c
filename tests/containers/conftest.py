"""The CPU profile without Docker: its build's command, and its server's, with paths translated."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ernie_triton.server.addresses import free_port
from ernie_triton.server.control import Control
from ernie_triton.server.wheel import find_wheel, lay_out_backend, server_environment
from tests.containers.compose import services
from tests.containers.programs import ROOT

_START_TIMEOUT_S = 300
_PORTS = ("http", "grpc", "metrics", "supervisor", "inner")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerServer:
    """What a container would run, running here."""

    process: subprocess.Popen[str]
    log: Path
    http_port: int
    grpc_port: int
    metrics_port: int
    supervisor_port: int
    inner_port: int

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"


def translated(command: list[str], folders: Mapping[str, Path], **ports: int) -> list[str]:
    """A container's command with this machine's paths, ports and loopback address."""
    replaced = []
    for part in command:
        option, _, value = part.partition("=")
        if part in ("python3", "tritonserver"):
            replaced.append(sys.executable if part == "python3" else str(find_wheel().tritonserver))
        elif part.startswith("docker/"):
            replaced.append(str(ROOT / part))
        elif value.startswith("/"):
            folder, _, name = value[1:].partition("/")
            replaced.append(f"{option}={folders[folder] / name}")
        elif value == "0.0.0.0":
            replaced.append(f"{option}=127.0.0.1")
        elif option in ports:
            replaced.append(f"{option}={ports[option]}")
        else:
            replaced.append(part)
    return replaced


def start(
    repository: Path,
    folder: Path,
    secrets: Path = Path(),
    settings: Mapping[str, str] | None = None,
    **variables: str,
) -> ContainerServer:
    """Start the command of the CPU server and wait until it is ready.

    Args:
        repository: mounted as /models.
        folder: for what it writes.
        secrets: mounted as /secrets.
        settings: variables of the compose file.
        variables: of the container's environment.
    """
    backends = folder / "backends"
    lay_out_backend(find_wheel(), backends)
    ports = {f"--{name}-port": free_port() for name in _PORTS}
    service = services(ALLOW_HTTP="true", **(settings or {}))["triton-cpu"]
    (folder / "snapshots").mkdir()
    folders = {"models": repository, "snapshots": folder / "snapshots", "secrets": secrets}
    command = translated(service["command"], folders, **ports)
    log = folder / "log.txt"
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            # The image has its backends where tritonserver looks without being told.
            [*command, f"--backend-directory={backends}"],
            env={**server_environment(find_wheel(), os.environ), **variables},
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
        )
    running = ContainerServer(
        process=process,
        log=log,
        http_port=ports["--http-port"],
        grpc_port=ports["--grpc-port"],
        metrics_port=ports["--metrics-port"],
        supervisor_port=ports["--supervisor-port"],
        inner_port=ports["--inner-port"],
    )
    deadline = time.monotonic() + _START_TIMEOUT_S
    is_encrypted = "TLS_CERT" in (settings or {})
    port = running.inner_port if is_encrypted else running.grpc_port
    while not _is_ready(port):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(running)
            pytest.fail(f"the server did not start:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.1)
    return running


def stop(running: ContainerServer) -> int:
    """Stop it as Docker does; returns the code it ended with."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
    return running.process.wait(60)


def _is_ready(grpc_port: int) -> bool:
    with contextlib.closing(Control(f"127.0.0.1:{grpc_port}")) as control:
        return control.ready()


@pytest.fixture(scope="session")
def container_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service `build-cpu` makes by default."""
    folder = tmp_path_factory.mktemp("containers") / "models"
    folder.mkdir()
    command = translated(services()["build-cpu"]["command"], {"models": folder})
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def container_server(container_repository: Path) -> Iterator[ContainerServer]:
    """The service `triton-cpu`, with an administrator's key."""
    with tempfile.TemporaryDirectory() as folder:
        running = start(container_repository, Path(folder), TRITON_ADMIN_KEY="the-key")
        try:
            yield running
        finally:
            stop(running)
