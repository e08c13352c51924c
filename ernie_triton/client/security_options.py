"""Options for TLS and keys that every command has which speaks to a server."""

import argparse
from pathlib import Path

from ernie_triton.client.transport import Connection
from ernie_triton.client.wire import Endpoint
from ernie_triton.commands import path_or_none
from ernie_triton.errors import UsageError


def add_security_options(server: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """Add the options."""
    server.add_argument("--tls", action="store_true", help="encrypt the connection")
    for option, help_text in (
        ("--ca-file", "authority of the server's certificate (default: the system's)"),
        ("--client-cert", "this client's own certificate, with --client-key"),
        ("--client-key", "private key of that certificate"),
    ):
        server.add_argument(option, type=Path, metavar="PEM", help=f"{help_text}; implies --tls")
    server.add_argument(
        "--api-key-file",
        type=path_or_none,
        metavar="FILE",
        help="file with the key that the server wants",
    )


def connection_from_namespace(found: argparse.Namespace, endpoint: Endpoint) -> Connection:
    """The connection that the options describe.

    Raises:
        UsageError: the file of the key cannot be read.
    """
    return Connection(
        endpoint=endpoint,
        tls=found.tls,
        ca_file=found.ca_file,
        certificate=found.client_cert,
        key=found.client_key,
        api_key=key_from_file("--api-key-file", found.api_key_file),
    )


def key_from_file(option: str, path: Path | None) -> str:
    """The key in the file that an option names; empty where it names none.

    Raises:
        UsageError: the file cannot be read.
    """
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} {path} cannot be read: {error}") from error
