"""The commands of a running server reach it through a socket that nobody else can open."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ernie_triton.errors import ServerError
from ernie_triton.server.builds import answering
from ernie_triton.server.builds.answering import BuildWatch, answer_command
from ernie_triton.server.builds.control_socket import ControlSocket, ask_server, socket_path
from ernie_triton.server.builds.verification import verify_build
from tests.commands import Run
from tests.server.builds.small_builds import publish_small_build
from tests.server.builds.test_live import Served

PORT = 65_001


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Iterator[Served]:
    """A server with its socket, in a temporary folder of its own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = Served(tmp_path / "models")
    with ControlSocket(PORT, partial(answer_command, made.builds, said.append)):
        yield made
    assert not socket_path(PORT).exists()


def test_the_commands_exchange_builds_and_list_them(
    served: Served, said: list[str], run: Run
) -> None:
    port = ("--grpc-port", PORT)
    first = served.states()["live"]
    second = served.publish("b")
    canary = run("reload", "p", "--canary", *port)
    assert (canary.code, canary.stdout) == (0, f"p@{second} answers beside p, build {first}\n")
    assert run("reload", "p", *port).code == 0
    assert run("rollback", "p", *port).stdout == (
        f"p serves build {first}; {second} is kept for rollback\n"
    )
    assert run("builds", *port).stdout.splitlines() == [
        "pipeline  build         version  state",
        "--------  ------------  -------  ------",
        f"p         {first}  1        live",
        f"p         {second}  1        before",
    ]
    assert run("builds", "--forget", "p", *port).stdout == (
        f"p forgets {second}; build {first} is live\n"
    )
    assert len(said) == 4
    refused = run("reload", "q", *port)
    assert (refused.code, refused.stderr) == (
        1,
        "error: the server has no pipeline 'q', only p\n",
    )


def test_only_the_same_user_can_open_the_socket(served: Served) -> None:
    assert served
    path = socket_path(PORT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.parent.chmod(0o755)
    with pytest.raises(ServerError, match="is open to others"):
        ask_server(PORT, {"command": "builds"})
    path.parent.chmod(0o700)


def test_what_is_no_command_is_refused_and_the_next_one_answered(served: Served) -> None:
    with pytest.raises(ServerError, match="knows no command 'evil'"):
        ask_server(PORT, {"command": "evil"})
    assert len(ask_server(PORT, {"command": "builds"})) == 3
    assert served.states()


def test_without_a_server_the_port_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    refused = run("reload", "p", "--grpc-port", PORT)
    assert refused.code == 1
    assert f"with gRPC port {PORT} answers here" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_watched_repository_gives_its_new_builds_and_a_bad_one_is_told_once(
    served: Served, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "WATCH_EVERY_S", 0.02)
    for content in ("bad", "good"):
        publish_small_build(tmp_path / content, content)
    bad, good = (verify_build(tmp_path / content, "p").identity for content in ("bad", "good"))
    served.models.failing = {f"p@{bad}"}
    watch = BuildWatch(served.builds, said.append, takes_new=True)
    try:
        served.publish("bad")
        wait_for(lambda: bool(said))
        time.sleep(0.1)
        served.publish("good")
        wait_for(lambda: len(said) > 1)
    finally:
        watch.stop()
    assert served.models.build_of("p") == "good"
    assert said[0] == f"p goes on with its build: p@{bad} cannot be loaded"
    assert said[1].startswith(f"p serves build {good}; ")
    assert len(said) == 2


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
