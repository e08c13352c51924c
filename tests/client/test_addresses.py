"""Addresses of several servers: what gRPC is given, and that it asks all of them in turn."""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.client.addresses import channel_target
from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.errors import ClientError, ServerUnavailableError, UsageError
from tests.client.grpc_server import Servicer, running_server

KNOWN = {
    "a": [(socket.AF_INET6, "fd00::1"), (socket.AF_INET, "10.0.0.1"), (socket.AF_INET, "10.0.0.2")],
    "b": [(socket.AF_INET, "10.0.0.3")],
    "six": [(socket.AF_INET6, "fd00::6")],
}


@pytest.fixture
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        if host not in KNOWN:
            raise socket.gaierror
        return [(family, 1, 6, "", (place, port)) for family, place in KNOWN[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.usefixtures("_names")
@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("a:1", "a:1"),
        ("dns:///a:1", "dns:///a:1"),
        ("a:1, b:2", "ipv4:10.0.0.1:1,10.0.0.2:1,10.0.0.3:2"),
        ("a:1,six:2", "ipv6:[fd00::1]:1,[fd00::6]:2"),
        ("gone:1,b:2", "ipv4:10.0.0.3:2"),
    ],
)
def test_names_of_a_list_are_looked_up_and_those_unknown_left_out(url: str, target: str) -> None:
    assert channel_target(url) == target


@pytest.mark.usefixtures("_names")
@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("a,b:1", UsageError, "'a' is no address; expected host:port"),
        ("b:1,six:1", UsageError, "mixes IPv4 and IPv6"),
        ("gone:1,lost:1", ServerUnavailableError, "no name of gone:1,lost:1 can be looked up"),
    ],
)
def test_a_list_that_no_channel_can_take_is_refused(
    url: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        channel_target(url)


def test_several_addresses_with_tls_are_refused(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("")
    with pytest.raises(ClientError, match="name them all by one dns:///host:port"):
        SeqClsClient(["a:1", "b:1"], ca_file=ca_file)


class Counting(Servicer):
    """Counts the requests of a server by its name."""

    def __init__(self, name: str, counts: Counter[str]) -> None:
        self._name, self._counts = name, counts

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._counts[self._name] += 1
        return super().ModelInfer(request, context)


def test_requests_go_to_all_servers_in_turn_and_a_dead_one_costs_none() -> None:
    counts: Counter[str] = Counter()
    with running_server(servicer=Counting("a", counts)) as first, ExitStack() as second:
        port = second.enter_context(running_server(servicer=Counting("b", counts)))
        with SeqClsClient([f"127.0.0.1:{first}", f"127.0.0.1:{port}"], timeout_s=20) as client:
            while min(counts["a"], counts["b"]) == 0:
                client.classify(["一"])  # until both connections stand
            counts.clear()
            for _ in range(10):
                client.classify(["一"])
            assert counts == {"a": 5, "b": 5}
            second.close()
            for _ in range(10):
                assert client.classify(["一"])[0].best.name == "positive"
    assert counts == {"a": 15, "b": 5}
