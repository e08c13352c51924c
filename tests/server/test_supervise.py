"""`ernie-triton supervise` with small commands in place of the server."""

import json
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


def test_in_json_the_server_s_output_is_a_log_of_events() -> None:
    output = "echo plain; echo 'I1121 22:35:10.522523 2784 server.cc:241] \"well\"' >&2"
    done = _run("--log-format=json", "--log-requests=none", "sh", "-c", output)
    assert done.stdout == ""
    plain, well = (json.loads(line) for line in done.stderr.splitlines())
    assert (plain["event"], plain["message"]) == ("server_log", "plain")
    assert (well["level"], well["source"], well["message"]) == ("info", "server.cc:241", "well")


def test_the_stages_learn_what_to_log_and_where_to_count() -> None:
    shown = "echo $ERNIE_TRITON_LOG_REQUESTS; ls -d $ERNIE_TRITON_COUNTS"
    done = _run("--log-requests=all", "--supervisor-port=0", "sh", "-c", shown)
    requests, folder = done.stderr.splitlines()
    assert requests == "all"
    assert not Path(folder).exists()  # it goes with the supervisor


def test_traces_are_options_of_the_server() -> None:
    endpoint = "--otlp-endpoint=http://collector:4318"
    assert "url=http://collector:4318/v1/traces" in _run(endpoint, "echo").stdout
    assert _run("--otlp-endpoint=", "echo").stdout == "\n"
    assert _run("--otlp-endpoint=collector:4318", "echo").returncode == 2
