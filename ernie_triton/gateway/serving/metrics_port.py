"""The port of the metrics: the sum over all workers, from the files that they write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ernie_triton.errors import ServerError


@contextlib.contextmanager
def metrics_port(host: str, port: int, folder: Path) -> Iterator[int]:
    """Show the metrics while the block runs, which gets the port.

    Raises:
        ServerError: the port cannot be had.
    """
    import prometheus_client
    from prometheus_client.multiprocess import MultiProcessCollector

    registry: Any = prometheus_client.CollectorRegistry()
    collector: Any = MultiProcessCollector
    collector(registry, path=str(folder))
    try:
        server, thread = prometheus_client.start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ServerError(
            f"the port {port} of the metrics cannot be opened ({error.strerror}); name a free "
            "one, or 0"
        ) from error
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
