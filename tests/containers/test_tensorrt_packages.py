"""docker/tensorrt_packages.py: the packages of the TensorRT that an image has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.containers.programs import ROOT


def _run(*folders: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "docker" / "tensorrt_packages.py", *folders],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("library", "cuda", "requirements"),
    [
        (
            "libnvinfer.so.10.4.0",
            "12.6.1.006",
            ["tensorrt_cu12==10.4.0.*", "tensorrt_cu12_bindings==10.4.0.*"],
        ),
        (
            "libnvinfer.so.10.16.1",
            "13.2.1.009",
            ["tensorrt_cu13==10.16.1.*", "tensorrt_cu13_bindings==10.16.1.*"],
        ),
    ],
)
def test_the_packages_are_of_the_images_tensorrt_and_cuda(
    tmp_path: Path, library: str, cuda: str, requirements: list[str]
) -> None:
    (tmp_path / library).touch()
    (tmp_path / f"libnvinfer.so.{library.split('.')[2]}").symlink_to(library)
    (tmp_path / "libnvinfer_plugin.so.9.9.9").touch()
    done = _run(tmp_path, CUDA_VERSION=cuda)
    assert done.returncode == 0
    assert done.stdout.split() == requirements


def test_two_versions_are_not_chosen_between(tmp_path: Path) -> None:
    for version in ("10.4.0", "10.9.0"):
        (tmp_path / f"libnvinfer.so.{version}").touch()
    done = _run(tmp_path)
    assert done.returncode == 1
    assert "TensorRT 10.4.0 and 10.9.0" in done.stderr


def test_an_image_without_tensorrt_is_named_as_such(tmp_path: Path) -> None:
    done = _run(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert str(tmp_path) in done.stderr
