"""Options of `serve` and `supervise` for who may use gRPC: certificates, and a key of clients.

An empty value is like none, so that a compose file can pass on variables that are not set.
"""

import argparse
import re

from ernie_triton.commands import path_or_none
from ernie_triton.errors import UsageError
from ernie_triton.server.tls_front import TlsFiles


def add_access_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("who may use gRPC")
    for option, help_text in (
        (
            "--tls-cert",
            "the server's certificate; encrypts gRPC, and is read again when it changes",
        ),
        ("--tls-key", "private key of that certificate"),
        ("--client-ca", "authority of the clients' certificates; clients must have one then"),
    ):
        group.add_argument(option, type=path_or_none, metavar="PEM", help=help_text)
    group.add_argument(
        "--api-key-file",
        type=path_or_none,
        metavar="FILE",
        help="file with a key that clients must send",
    )


def tls_files(arguments: argparse.Namespace) -> TlsFiles | None:
    """Read the files of TLS, if it is wanted.

    Raises:
        UsageError: the certificate comes without its key, or the other way round.
    """
    certificate, key, client_ca = arguments.tls_cert, arguments.tls_key, arguments.client_ca
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise UsageError("TLS needs --tls-cert and --tls-key; give both")
    return TlsFiles(certificate=certificate, key=key, client_ca=client_ca)


def key_of_clients(arguments: argparse.Namespace) -> str:
    """Read the key that clients must send; empty where they need none.

    Raises:
        UsageError: the file cannot be read, or its key cannot be sent.
    """
    path = arguments.api_key_file
    if path is None:
        return ""
    try:
        key = str(path.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--api-key-file {path} cannot be read: {error}") from error
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,}", key):
        raise UsageError(
            f"the key in {path} has {len(key)} characters; expected 16 or more of letters, digits, "
            f"'-' and '_', such as: openssl rand -hex 32"
        )
    return key
