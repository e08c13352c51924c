"""docker/build_models.py: builds what is missing, keeps what is there."""

import subprocess
import sys
from pathlib import Path

from tests.containers.programs import ROOT


def _run(repository: Path, *options: str) -> subprocess.CompletedProcess[str]:
    defaults = ["--engine=openvino", "--precision=fp32", "--pipelines=tnews"]
    command = [str(ROOT / "docker" / "build_models.py"), f"--repository={repository}"]
    return subprocess.run(
        [sys.executable, *command, *defaults, *options], cwd=ROOT, capture_output=True, text=True
    )


def _manifest(repository: Path) -> Path:
    return repository / "ernie_seqcls" / "1" / "manifest.json"


def test_what_is_there_is_kept(container_repository: Path) -> None:
    before = _manifest(container_repository).stat().st_mtime_ns
    done = _run(container_repository)
    assert (done.returncode, done.stdout) == (0, "ernie_seqcls: openvino fp32 is there\n")
    assert _manifest(container_repository).stat().st_mtime_ns == before


def test_another_engine_or_precision_is_built_in_its_place(
    container_repository: Path, tmp_path: Path
) -> None:
    # A pipeline that cannot be built tells whether it was tried.
    pipeline = tmp_path / "mine.toml"
    pipeline.write_text(
        'task = "seq_cls"\ncheckpoint = "nowhere"\nrepository = "."\n', encoding="utf-8"
    )
    asked = f"--pipelines={pipeline}"
    assert _run(container_repository, asked).returncode == 0
    for other in ("--engine=onnxruntime", "--precision=bf16", "--force"):
        done = _run(container_repository, asked, other)
        assert done.returncode == 1
        assert "nowhere" in done.stderr
    assert _run(container_repository).stdout == "ernie_seqcls: openvino fp32 is there\n"


def test_an_unknown_pipeline_is_named_with_those_there_are(tmp_path: Path) -> None:
    done = _run(tmp_path, "--pipelines=tnews2")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pipelines/tnews2.toml" in done.stderr
    assert "tnews" in done.stderr.partition("(")[2]


def test_plans_are_looked_at_for_tensorrt_alone(tmp_path: Path) -> None:
    nothing = ["--pipelines="]
    assert _run(tmp_path, *nothing).stdout == ""
    done = _run(tmp_path, *nothing, "--engine=tensorrt", "--precision=fp16")
    assert (done.returncode, "nothing to check" in done.stdout) == (0, True)
