"""Faults of connections: they break in the middle of a request, or never speak gRPC."""

import contextlib
import random
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ernie_triton.errors import ServerError, ServerUnavailableError
from ernie_triton.perf.chaos.faults import PROBE_TIMEOUT_S, StruckPipeline, reasons_of

_NOISES = 100
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_CALLS = 16
_ROWS = 8
_TIMEOUT_S = 30.0
_DROPPED_WITHIN_S = 0.2
_CHUNK_BYTES = 1 << 16
_RESET = struct.pack("ii", 1, 0)


class BrokenConnections:
    """Connections that end after a few bytes, or never speak gRPC."""

    name = "broken connections"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Open connections, send the start of a request or noise, and close them."""
        host, _, port = target.url.rpartition(":")
        for _ in range(_NOISES):
            start = chance.choice((b"", _HTTP2_PREFACE, _HTTP2_PREFACE + chance.randbytes(64)))
            with (
                contextlib.suppress(OSError),
                socket.create_connection((host, int(port)), PROBE_TIMEOUT_S) as connection,
            ):
                connection.sendall(start or chance.randbytes(512))
        return f"{_NOISES} connections"


class DroppedConnections:
    """The network drops the connection of clients that wait for answers."""

    name = "dropped connections"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Send requests through a relay that resets their connection, at some moment."""
        with Relay(target.url) as relay, ThreadPoolExecutor(_CALLS) as pool:
            calls = [
                pool.submit(target.subject.send, relay.url, target.columns(_ROWS), _TIMEOUT_S)
                for _ in range(_CALLS)
            ]
            time.sleep(chance.uniform(0, _DROPPED_WITHIN_S))
            relay.drop()
            errors = [error for call in calls if (error := call.exception()) is not None]
        others = [error for error in errors if not isinstance(error, ServerUnavailableError)]
        if others:
            raise ServerError(f"of {_CALLS} requests on a dropped connection {reasons_of(others)}")
        return f"{_CALLS} requests of {_ROWS} rows, {_CALLS - len(errors)} answered before"


class Relay:
    """A port that passes connections on to a server until it drops them; a context manager."""

    def __init__(self, url: str) -> None:
        """Listen on a free port of this machine.

        Args:
            url: address of the server.
        """
        host, _, port = url.rpartition(":")
        self._target = (host, int(port))
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._dropped = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def drop(self) -> None:
        """Reset every connection, on both sides, and take no more."""
        with self._lock:
            self._dropped = True
            ends, self._open = self._open, []
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                if self._dropped:
                    client.close()
                    server.close()
                    return
                self._open += [client, server]
            for ends in ((client, server), (server, client)):
                threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
