"""Make an API key of a gateway: its hash goes into the file, the key itself is printed once."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ernie_triton.errors import UsageError
from ernie_triton.gateway.guard.keys import (
    ApiKey,
    check_key_name,
    digest_of_key,
    key_table,
    named_keys,
    new_api_key,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Make an API key. Its hash is appended to the file, which a running gateway reads again; "
        "the key is printed once. To take a key back, delete its lines."
    )
    parser.add_argument("name", help="name of the key in logs and metrics")
    parser.add_argument(
        "--keys", type=Path, required=True, metavar="FILE", help="the file; made if missing"
    )
    parser.add_argument(
        "--rate", type=float, default=0.0, metavar="N", help="requests a second (default: no limit)"
    )
    parser.add_argument(
        "--burst",
        type=int,
        metavar="N",
        help="requests that may come at once (default: those of one second)",
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=0,
        metavar="N",
        help="requests at once (default: no limit)",
    )
    parser.add_argument(
        "--pipeline",
        action="append",
        default=[],
        metavar="NAME",
        help="pipeline that the key may ask; repeatable (default: all)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Append the key's hash and print the key; return 0.

    Raises:
        UsageError: the name is taken or no name, or the file cannot be written.
    """
    name, path = check_key_name(arguments.name), arguments.keys
    if path.exists() and name in named_keys(path):
        raise UsageError(f"{path} has a key {name!r} already; name another, or delete its lines")
    secret = new_api_key()
    key = ApiKey(
        sha256=digest_of_key(secret),
        rate_per_s=arguments.rate,
        burst=arguments.burst or max(round(arguments.rate), 1),
        concurrency=arguments.concurrency,
        pipelines=tuple(arguments.pipeline),
    )
    _append(path, key_table(name, key))
    print(secret)
    return 0


def _append(path: Path, table: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat().st_size if path.exists() else 0
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, (f"\n{table}" if before else table).encode())
        finally:
            os.close(file)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
