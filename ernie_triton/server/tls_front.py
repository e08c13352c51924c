"""TLS before a server: decrypts the connections of clients and passes them on to it.

Triton's own TLS reads its certificates once, at its start, and asks the supervisor for a client's
certificate too. Here each new connection gets the files as they are then, so a renewed certificate
needs no restart. Triton itself listens on a socket in a folder that nobody else may enter. In a
container it listens on the container's own loopback address, for the health check.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import ServerError

_HANDSHAKE_TIMEOUT_S = 10.0
_CHUNK_BYTES = 1 << 16
_STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of a server.

    Attributes:
        certificate: the server's certificate, with those between it and its authority.
        key: its private key, without a passphrase.
        client_ca: authority of the clients' certificates; with it, a client must have one.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """A context of the files as they are now.

        Raises:
            ServerError: one of them cannot be read, or the key is another certificate's.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        try:
            # An empty password, so that nobody is asked for one at a terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except OSError as error:  # SSLError is one
            files = ", ".join(str(p) for p in (self.certificate, self.key, self.client_ca) if p)
            raise ServerError(
                f"TLS cannot use {files}: {error.strerror or error}; expected PEM files of a "
                f"certificate, its own key without a passphrase, and the clients' authority"
            ) from error
        return context

    def times(self) -> tuple[int, ...]:
        """The time at which each file was written; 0 for one that is not there."""
        paths = [path for path in (self.certificate, self.key, self.client_ca) if path]
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)


class TlsFront:
    """The listening port; connections are taken from `start` on."""

    def __init__(
        self, files: TlsFiles, address: tuple[str, int], target: Path | tuple[str, int]
    ) -> None:
        """Read the files and bind the port.

        Args:
            files: the certificates.
            address: host and port to bind.
            target: the Unix socket of the server, or its host and port.

        Raises:
            ServerError: a file or the port cannot be used.
        """
        self._files = files
        self._times = files.times()
        self._context = files.context()
        self._target = target
        try:
            self._listener = socket.create_server(address)
        except OSError as error:
            raise ServerError(
                f"the port {address[1]} of {address[0]} cannot be used: {error.strerror}"
            ) from error
        self._listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tls", daemon=True)

    def start(self) -> None:
        """Take connections, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection; a second call does nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STOP_TIMEOUT_S)
        self._listener.close()

    def _run(self) -> None:
        accepting = self._loop.create_task(self._accept())
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(accepting)
        self._loop.close()

    async def _accept(self) -> None:
        served: set[asyncio.Task[None]] = set()
        while True:
            connection, _ = await self._loop.sock_accept(self._listener)
            task = self._loop.create_task(self._serve(connection))
            served.add(task)
            task.add_done_callback(served.discard)

    async def _serve(self, connection: socket.socket) -> None:
        """Pass one client's bytes on, both ways, until either side ends."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._current(),
                ssl_handshake_timeout=_HANDSHAKE_TIMEOUT_S,
            )
        except (OSError, ConnectionError):  # no TLS, no certificate, or gone
            connection.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
        try:
            from_server, to_server = await self._connected()
        except OSError:
            writer.close()
            return
        ways = [
            self._loop.create_task(_pass(reader, to_server)),
            self._loop.create_task(_pass(from_server, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        writer.close()
        to_server.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    def _current(self) -> ssl.SSLContext:
        """The files as they are now; as they were, while they do not fit together."""
        times = self._files.times()
        if times != self._times:
            # Key and certificate are two files: between the two writes they do not fit.
            with contextlib.suppress(ServerError):
                self._context = self._files.context()
                self._times = times
        return self._context


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK_BYTES):
            target.write(data)
            await target.drain()
