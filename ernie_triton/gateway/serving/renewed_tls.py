"""The certificate of the gateway's port: new connections get a renewed one without a restart."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from ernie_triton.errors import ServerError
from ernie_triton.server.tls_front import TlsFiles

_LOOK_EVERY_S = 1.0


class RenewedTls:
    """A context whose certificate is read again when its files have changed.

    Attributes:
        context: for the port.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Read the files.

        Raises:
            ServerError: one of them cannot be used.
        """
        self._files = files
        self._times = files.times()
        self.context = _http_context(files)

    async def watch(self) -> None:
        """Look at the files every second, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._files.times() != self._times:
                # Between the writes of the two files they do not fit: the next look finds them.
                with contextlib.suppress(ServerError):
                    self._renew()

    def _renew(self) -> None:
        times = self._files.times()
        fitting = _http_context(self._files)
        self.context.sni_callback = lambda connection, _name, _context: _use(connection, fitting)
        self._times = times


def _http_context(files: TlsFiles) -> ssl.SSLContext:
    context = files.context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _use(connection: ssl.SSLObject, context: ssl.SSLContext) -> None:
    connection.context = context
