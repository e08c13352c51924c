"""The command's arguments: wrong usage is 2, what the user can mend is one line and 1."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ernie_triton.cli import main
from ernie_triton.errors import MissingExtraError, ServerError
from ernie_triton.server.addresses import free_port
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["server"], "invalid choice: 'server'"),
        (["serve"], "the following arguments are required: --repository"),
        (["serve", "--repository", ".", "--prot", "1"], "unrecognized arguments: --prot 1"),
        (["serve", "--repo", "."], "the following arguments are required: --repository"),
        (["serve", "--repository", ".", "--grpc-port", "many"], "invalid int value: 'many'"),
        (["serve", "--repository", ".", "--startup-timeout", "x"], "invalid float value: 'x'"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    output, errors = capsys.readouterr()
    assert not output
    assert message in errors


def test_a_missing_repository_is_one_line_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--repository", str(tmp_path / "none")]) == 1
    output, errors = capsys.readouterr()
    assert not output
    assert errors == f"error: the model repository {tmp_path / 'none'} is not a folder\n"


def test_a_file_is_no_repository(tmp_path: Path) -> None:
    path = tmp_path / "config.pbtxt"
    path.touch()
    with pytest.raises(ServerError, match="is not a folder"):
        EmbeddedServer(ServerOptions(repository=path))


def test_the_module_ends_with_the_commands_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ernie_triton", "serve", "--repository", "none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the model repository none is not a folder\n"


def test_the_help_states_every_option_with_its_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for expected in (
        "--repository DIR the model repository",
        "(default 127.0.0.1)",
        "port of grpc, 0 for a free one (default 8001)",
        "port of HTTP, 0 for a free one (default: no HTTP, one small request can crash it)",
        "port of metrics, 0 for a free one (default 8002)",
        "seconds that loading may take (default 300)",
        "--verbose",
    ):
        assert expected in text


def test_a_server_that_was_never_started_has_no_process_and_stops_at_once(tmp_path: Path) -> None:
    server = EmbeddedServer(ServerOptions(repository=tmp_path, grpc_port=0))
    with pytest.raises(ServerError, match="the server is not running"):
        _ = server.pid
    with pytest.raises(ServerError, match="the server is not running"):
        server.watch(0)
    server.stop()
    server.stop()
    assert server.url == f"127.0.0.1:{server.grpc_port}"
    assert server.http_port is None


def test_chosen_ports_are_free_ones(tmp_path: Path) -> None:
    options = ServerOptions(repository=tmp_path, http_port=0, grpc_port=0, metrics_port=0)
    server = EmbeddedServer(options)
    ports = {server.http_port, server.grpc_port, server.metrics_port}
    assert all(port is not None and 1024 <= port < 65536 for port in ports)
    assert free_port() != 0


def test_a_server_that_cannot_be_started_leaves_no_folder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(MissingExtraError):
        EmbeddedServer(ServerOptions(repository=tmp_path, grpc_port=0)).start()
    assert not list(scratch.iterdir())
