"""Ports that are free, and the address at which a machine reaches itself."""

import socket


def own_address(host: str) -> str:
    """The address at which this machine reaches itself, where `host` may be every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]"}.get(host, host)


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
