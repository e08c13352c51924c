"""`ernie-triton doctor`: a table of what is there, and 1 where something must be mended."""

import socket
from pathlib import Path

from tests.commands import Run

FREE = ("--grpc-port", "0", "--metrics-port", "0")


def test_a_whole_installation_is_in_order(run: Run) -> None:
    done = run("doctor", *FREE)
    assert done.code == 0, done.stdout
    names = {line.split("  ")[0] for line in done.stdout.splitlines()}
    assert {"numpy", "tritonserver", "locale", "shared memory", "ports", "processor"} <= names
    assert not any(" mend " in line for line in done.stdout.splitlines())


def test_what_is_wrong_is_named_and_ends_with_1(run: Run, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("doctor", "--repository", tmp_path, *FREE[2:], "--grpc-port", port)
    assert done.code == 1
    wrong = [line for line in done.stdout.splitlines() if " mend " in line]
    assert len(wrong) == 2
    assert f"{tmp_path} has no models" in wrong[0]
    assert f"port {port} of 127.0.0.1 cannot be opened" in wrong[1]
