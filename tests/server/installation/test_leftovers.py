"""What dead processes left is removed, and nothing of the living or of others."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ernie_triton.server.installation.leftovers import owned_prefix, remove_leftovers
from tests.paths import ROOT

PRINT_PREFIX = (
    "from ernie_triton.server.installation.leftovers import owned_prefix; print(owned_prefix())"
)


def test_only_what_belongs_to_the_dead_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    for folder in ("tmp", "shm"):
        (tmp_path / folder).mkdir()
    command = [sys.executable, "-c", PRINT_PREFIX]
    dead = subprocess.check_output(command, cwd=ROOT, encoding="utf-8").strip()
    namespace, pid, start = owned_prefix().removeprefix("ernie-triton-").split("-")[:3]
    kept = [
        tmp_path / "tmp" / f"{owned_prefix()}a",
        tmp_path / "shm" / f"{owned_prefix()}a",
        tmp_path / "tmp" / dead.replace(namespace, f"{int(namespace) + 1}", 1),
        tmp_path / "shm" / "somebody_elses",
    ]
    gone = [
        tmp_path / "tmp" / f"{dead}folder",
        tmp_path / "shm" / f"{dead}region",
        # The same number, given to this process after its owner had ended.
        tmp_path / "shm" / f"ernie-triton-{namespace}-{pid}-{int(start) - 1}-region",
    ]
    for path in kept + gone[1:]:
        path.touch()
    gone[0].mkdir()
    (gone[0] / "backends").mkdir()
    assert set(remove_leftovers(tmp_path / "shm")) == set(gone)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)


def test_a_stage_of_a_dead_server_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "shm").mkdir()
    command = [sys.executable, "-c", PRINT_PREFIX]
    dead = subprocess.check_output(command, cwd=ROOT, encoding="utf-8").strip()
    stages = []
    for prefix in (dead, owned_prefix()):
        program = tmp_path / f"{prefix}a" / "backends" / "stub"
        program.parent.mkdir(parents=True)
        shutil.copy("/bin/sleep", program)
        stages.append(subprocess.Popen([str(program), "600"]))
    orphan, alive = stages
    try:
        remove_leftovers(tmp_path / "shm")
        assert orphan.wait(timeout=30) == -signal.SIGKILL
        assert alive.poll() is None
    finally:
        for stage in stages:
            stage.kill()
            stage.wait()
