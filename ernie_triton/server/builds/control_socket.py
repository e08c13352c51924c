"""The way from a command to a running `serve`: a Unix socket that only the same user can open.

It lies in a folder of the user's own, under the number of the server's gRPC port. A message is one
line of JSON each way.
"""

import argparse
import contextlib
import json
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ernie_triton.errors import ErnieTritonError, ServerError

_MOST_BYTES = 1 << 16
_ANSWER_TIMEOUT_S = 900.0
_CREDENTIALS = struct.Struct("3i")

Answerer = Callable[[Mapping[str, Any]], list[str]]
"""Answers a request in lines; what it raises as ErnieTritonError is told to the command."""


def socket_path(grpc_port: int) -> Path:
    """The socket of the server with this gRPC port.

    Raises:
        ServerError: somebody else has made the folder.
    """
    folder = Path(tempfile.gettempdir()) / f".ernie-triton-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ServerError(f"{folder} is open to others; remove it")
    return folder / f"{grpc_port}.sock"


class ControlSocket:
    """Takes the commands of one server; a context manager."""

    def __init__(self, grpc_port: int, answer: Answerer) -> None:
        """Open the socket; a thread answers one command after the other.

        Args:
            grpc_port: of the server.
            answer: is given each request.

        Raises:
            ServerError: the socket cannot be made.
        """
        self._path = socket_path(grpc_port)
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            # Of a server that died: while one lives, its port is taken.
            self._path.unlink(missing_ok=True)
            self._socket.bind(str(self._path))
            self._path.chmod(0o600)
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            raise ServerError(f"the socket {self._path} cannot be made: {error}") from error
        threading.Thread(target=self._serve, name="control-socket", daemon=True).start()

    def __enter__(self) -> "ControlSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take no more commands."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                if _user_of(connection) in (0, os.getuid()):
                    connection.sendall(json.dumps(self._reply(connection)).encode() + b"\n")

    def _reply(self, connection: socket.socket) -> dict[str, Any]:
        try:
            with connection.makefile("rb") as stream:
                request = json.loads(stream.readline(_MOST_BYTES))
            return {"lines": self._answer(request)}
        except (ErnieTritonError, ValueError) as error:
            return {"error": str(error)}


def add_port_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which server is meant."""
    parser.add_argument(
        "--grpc-port", type=int, default=8001, help="of the server (default %(default)s)"
    )


def ask_server(grpc_port: int, request: Mapping[str, Any]) -> list[str]:
    """Send a command to a server of this user on this machine; return its lines.

    Raises:
        ServerError: there is no such server, or it refuses.
    """
    path = socket_path(grpc_port)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_TIMEOUT_S)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                reply = json.loads(stream.readline())
        except (OSError, ValueError) as error:
            raise ServerError(
                f"no ernie-triton serve of this user with gRPC port {grpc_port} answers here "
                f"({error}); name its port with --grpc-port"
            ) from error
    if "error" in reply:
        raise ServerError(str(reply["error"]))
    return [str(line) for line in reply["lines"]]


def _user_of(connection: socket.socket) -> int:
    """The user id of the process at the other end."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])
