"""Addresses that stand for several servers, and what gRPC is told to balance over them.

gRPC itself picks the server of each request, in turn among those that it has a connection to. It
pings each connection that has requests: a server that hangs loses its connection, and with it its
requests, which `core` sends again. gRPC's own health checks are not asked for, since Triton 2.51
answers `Check` alone, not `Watch`. Nor are its own retries: it knows no full queue from an absent
server.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence

from ernie_triton.errors import ServerUnavailableError, UsageError

_NAME_SCHEME = "dns:///"
_PING_AFTER_MS, _PING_TIMEOUT_MS = 2000, 5000
GIVEN_UP_AFTER_S = (_PING_AFTER_MS + _PING_TIMEOUT_MS) / 1000
"""The longest that a hung server keeps a request, where there are others."""

PING_ARGUMENTS = (
    ("grpc.keepalive_time_ms", _PING_AFTER_MS),
    ("grpc.keepalive_timeout_ms", _PING_TIMEOUT_MS),
    # The limit of this version of gRPC for any ping; without it, one minute.
    ("grpc.http2.ping_timeout_ms", _PING_TIMEOUT_MS),
)
"""Arguments of a channel that gives up a server which answers no ping."""

BALANCING_ARGUMENTS = (
    *PING_ARGUMENTS,
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
)
"""Arguments of a channel to several servers."""


def joined(url: str | Sequence[str]) -> str:
    """One address as it is; several with commas between them."""
    return url if isinstance(url, str) else ",".join(url)


def is_name_of_many(url: str) -> bool:
    """True for `dns:///host:port`, whose name may stand for several servers."""
    return url.startswith(_NAME_SCHEME)


def is_balanced(url: str) -> bool:
    """True where an address may stand for several servers."""
    return "," in url or is_name_of_many(url)


def host_of(url: str) -> str:
    """The host of `dns:///host:port`, or of `host:port`."""
    return _host_and_port(url.removeprefix(_NAME_SCHEME))[0]


def channel_target(url: str) -> str:
    """The target of gRPC for an address; names of a list are looked up here, once.

    Raises:
        UsageError: an address of a list has no port, or they mix IPv4 with IPv6.
        ServerUnavailableError: no name of a list can be looked up.
    """
    if "," not in url:
        return url
    # A name that is not known now does not keep the others from answering.
    found = [addresses for part in url.split(",") if (addresses := _looked_up(part.strip()))]
    if not found:
        raise ServerUnavailableError(f"no name of {url} can be looked up; name hosts that exist")
    for scheme, family in (("ipv4", socket.AF_INET), ("ipv6", socket.AF_INET6)):
        parts = [[place for kind, place in addresses if kind == family] for addresses in found]
        if all(parts):
            return f"{scheme}:" + ",".join(dict.fromkeys(place for part in parts for place in part))
    raise UsageError(f"{url} mixes IPv4 and IPv6, which one channel cannot; name all of one kind")


async def servers_of_name(url: str) -> tuple[str, ...]:
    """The `address:port` of each server that `dns:///host:port` stands for now.

    Raises:
        UsageError: it has no port.
        ServerUnavailableError: the name cannot be looked up.
    """
    found = await asyncio.to_thread(_looked_up, url.removeprefix(_NAME_SCHEME))
    if not found:
        raise ServerUnavailableError(f"the name of {url} cannot be looked up; is it right?")
    best = min(kind for kind, _ in found)  # IPv4 where there is any
    return tuple(dict.fromkeys(place for kind, place in found if kind == best))


def _looked_up(part: str) -> list[tuple[int, str]]:
    """Family and `address:port` of each address of `host:port`; none for an unknown name."""
    host, port = _host_and_port(part)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return []
    return [
        (family, f"[{place[0]}]:{port}" if family == socket.AF_INET6 else f"{place[0]}:{port}")
        for family, _, _, _, place in found
    ]


def _host_and_port(part: str) -> tuple[str, int]:
    host, _, port = part.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"{part!r} is no address; expected host:port")
    return host.strip("[]"), int(port)
