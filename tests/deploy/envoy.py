"""The Envoy of deploy/proxy/ as a process, before servers of a test's own."""

import contextlib
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from ernie_triton.server.addresses import free_port
from tests.deploy.tools import tool
from tests.paths import ROOT

CONFIG = ROOT / "deploy" / "proxy" / "envoy.yaml"
_READY_S = 60


def config_for(urls: Sequence[str], port: int, admin_port: int) -> dict[str, Any]:
    """The configuration with other servers and ports, and nothing else changed."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    resources = config["static_resources"]
    listens = resources["listeners"][0]["address"]["socket_address"]
    listens.update(address="127.0.0.1", port_value=port)
    config["admin"]["address"]["socket_address"]["port_value"] = admin_port
    [endpoints] = resources["clusters"][0]["load_assignment"]["endpoints"]
    endpoints["lb_endpoints"] = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(number)}}}}
        for host, number in (url.split(":") for url in urls)
    ]
    return config


@contextlib.contextmanager
def running_envoy(urls: Sequence[str]) -> Iterator[str]:
    """The address of an Envoy before these servers."""
    port, admin_port = free_port("127.0.0.1"), free_port("127.0.0.1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "envoy.yaml")
        path.write_text(yaml.safe_dump(config_for(urls, port, admin_port)), encoding="utf-8")
        log = Path(folder, "log")
        command = [str(tool("envoy")), "--config-path", str(path), "--log-path", str(log)]
        more = ["--concurrency", "1", "--disable-hot-restart"]
        with subprocess.Popen([*command, *more]) as process:
            try:
                _wait_until_ready(admin_port)
                yield f"127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(_READY_S)


def _wait_until_ready(admin_port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/ready", timeout=1).close()
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)
