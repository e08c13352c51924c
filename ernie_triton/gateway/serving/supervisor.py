"""The parent of the workers: binds the port, starts them, replaces one that ends, stops all."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Event
from types import FrameType

from ernie_triton.errors import ServerError
from ernie_triton.gateway.guard.limits import write_limit_table
from ernie_triton.gateway.serving.worker import BACKLOG, SharedFiles, run_worker
from ernie_triton.gateway.settings import GatewaySettings

_EARLY_END_S = 10.0
_MOST_EARLY_ENDS = 3
_KILL_AFTER_S = 5.0


class WorkersEndedError(ServerError):
    """The workers of a gateway end soon after their start, again and again."""


class GatewayProcesses:
    """The workers of one gateway; `run` blocks until it is stopped."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Bind the port.

        Raises:
            ServerError: it cannot be bound.
        """
        self._settings = settings
        self._stopping = Event()
        self._early_ends = 0
        try:
            self._socket = _bound(settings.host, settings.port)
        except OSError as error:
            raise ServerError(
                f"the port {settings.port} of {settings.host} cannot be used: {error.strerror}; "
                "name another with --port"
            ) from error

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        """Let the workers finish what they answer, and end."""
        self._stopping.set()

    def run(self, shared: SharedFiles) -> None:
        """Keep the workers running until `stop`.

        Raises:
            WorkersEndedError: they end soon after their start, again and again.
        """
        running = {
            number: self._started(shared, number) for number in range(self._settings.workers)
        }
        started_s = {number: time.monotonic() for number in running}
        try:
            while not self._stopping.is_set():
                ended = wait([process.sentinel for process in running.values()], timeout=0.2)
                for number, process in tuple(running.items()):
                    if process.sentinel in ended and not self._stopping.is_set():
                        self._note_end(process, time.monotonic() - started_s[number])
                        running[number] = self._started(shared, number)
                        started_s[number] = time.monotonic()
        finally:
            self._end(tuple(running.values()))
            self._socket.close()

    def _started(self, shared: SharedFiles, number: int) -> SpawnProcess:
        context = multiprocessing.get_context("spawn")
        process = context.Process(
            target=run_worker,
            args=(self._settings, shared, number, [self._socket]),
            name=f"gateway-{number}",
        )
        process.start()
        return process

    def _note_end(self, process: SpawnProcess, lived_s: float) -> None:
        self._early_ends = self._early_ends + 1 if lived_s < _EARLY_END_S else 0
        if self._early_ends >= _MOST_EARLY_ENDS:
            raise WorkersEndedError(
                f"a worker ended {lived_s:.1f} s after its start with exit code "
                f"{process.exitcode}, the third in a row; its own lines above say why"
            )

    def _end(self, processes: tuple[SpawnProcess, ...]) -> None:
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + self._settings.drain_s + _KILL_AFTER_S
        for process in processes:
            process.join(max(deadline - time.monotonic(), 0))
            if process.is_alive():
                process.kill()
                process.join()


@contextlib.contextmanager
def shared_files() -> Iterator[SharedFiles]:
    """Files for the workers, gone after the block."""
    with tempfile.TemporaryDirectory(prefix="ernie-triton-gateway-") as name:
        shared = SharedFiles(limits=Path(name) / "limits", metrics=Path(name) / "metrics")
        write_limit_table(shared.limits)
        shared.metrics.mkdir()
        yield shared


@contextlib.contextmanager
def stopped_by_signals(supervisor: GatewayProcesses) -> Iterator[None]:
    """Stop the gateway on SIGINT and SIGTERM while the block runs."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        supervisor.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # Connections inherit it; asyncio sets it for sockets alone that name their protocol. Without
    # it an answer's body waits 40 ms for the acknowledgement of its headers.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound
