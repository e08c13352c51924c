"""A command runs as a process of its own: its progress is shown, its reason is ours."""

from pathlib import Path

import pytest

from ernie_triton.errors import CheckpointError
from ernie_triton.perf.build_process import run_build


def test_a_failure_is_told_with_the_builds_own_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CheckpointError, match=r"ernie-triton inspect .*nothing` failed: "):
        run_build("inspect", tmp_path / "nothing")
    assert "does not exist" in capsys.readouterr().err
