"""`ernie-triton supervise` with small commands in place of the server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.builds.small_builds import publish_small_build


def _run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ernie_triton", "supervise", *command],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(("ended", "code"), [(0, 1), (3, 3)])
def test_a_server_that_ends_by_itself_has_failed(ended: int, code: int) -> None:
    assert _run("sh", "-c", f"exit {ended}").returncode == code


def test_without_a_key_of_ones_own_nobody_knows_it() -> None:
    keys = [_run("echo", "--option=%ADMIN_KEY%").stdout.strip() for _ in range(2)]
    assert keys[0] != keys[1]
    assert all(len(key.removeprefix("--option=")) == 64 for key in keys)


def test_the_key_is_the_administrators_and_leaves_the_environment() -> None:
    shown = "echo %ADMIN_KEY% ${TRITON_ADMIN_KEY:-gone}"
    assert _run("sh", "-c", shown, TRITON_ADMIN_KEY="mine").stdout == "mine gone\n"


def test_plans_are_checked_before_the_server_starts(tmp_path: Path) -> None:
    missing = _run("echo", "started", CHECK_PLANS=str(tmp_path / "nowhere"))
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "nowhere is not a folder" in missing.stderr
    assert "started" in _run("echo", "started", CHECK_PLANS=str(tmp_path)).stdout


def test_a_command_that_is_not_there_is_named() -> None:
    done = _run("/no/such/server")
    assert done.returncode == 1
    assert done.stderr.startswith("error: /no/such/server cannot be run")
    assert _run().returncode == 2


def test_a_damaged_repository_is_refused_before_the_server_starts(tmp_path: Path) -> None:
    publish_small_build(tmp_path, "a")
    (tmp_path / "theirs/1").mkdir(parents=True)
    started = _run("echo", f"--model-repository={tmp_path}")
    assert started.stdout
    assert started.stderr == "unverified: theirs, no build of ernie-triton made it\n"
    damaged = tmp_path / "p_engine/1/model.py"
    damaged.write_text("changed")
    refused = _run("echo", f"--model-repository={tmp_path}")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"error: the pipeline p is not served: {damaged} is damaged")
    assert _run("echo", f"--model-repository={tmp_path}", "--load-model=theirs").stdout
    assert "unverified: s3://b/m" in _run("echo", "--model-repository=s3://b/m").stderr
