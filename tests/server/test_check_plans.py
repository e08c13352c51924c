"""`check-plans`: 0 where every plan fits, else 1 and one line that says what to do."""

from __future__ import annotations

import ctypes.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ernie_triton.cli import main
from ernie_triton.errors import GpuError
from ernie_triton.gpu.driver import CudaDriver, Gpu
from ernie_triton.server import check_plans
from ernie_triton.server.check_plans import TAG_VARIABLE, this_server
from tests.gpu.fake_cuda import A10, T4, V100, FakeDriver, driver_of
from tests.gpu.plan_files import CONFIG, write_engine_stage, write_plan


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One pipeline with the plan of a T4."""
    folder = tmp_path / "models"
    write_plan(write_engine_stage(folder, "news"))
    return folder


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """The driver of a T4 in the image 24.09, by its libraries' stand-ins."""
    fake = FakeDriver()
    monkeypatch.setattr(check_plans, "CudaDriver", lambda: CudaDriver(driver_of(fake)))
    monkeypatch.setattr(check_plans, "tensorrt_version", lambda: "10.4.0")
    monkeypatch.setattr(check_plans, "driver_version", lambda: "470.256.02")
    monkeypatch.setenv(TAG_VARIABLE, "24.09")
    return fake


def check(repository: Path, *options: str) -> int:
    return main(["check-plans", "--repository", str(repository), *options])


def test_a_fitting_plan_ends_with_0_and_its_facts(
    repository: Path, machine: FakeDriver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(repository) == 0
    output, errors = capsys.readouterr()
    assert machine.gpus == (T4,)
    assert output.endswith("fits: TensorRT 10.4.0.26, Tesla T4 (compute capability 7.5), fp16\n")
    assert errors == ""


@pytest.mark.parametrize(
    ("gpu", "line"),
    [
        (V100, r"no plan for the Tesla V100.*plans there: model_sm75\.plan; run: "),
    ],
)
def test_a_plan_of_another_gpu_is_one_line_with_the_command_that_builds_it(
    repository: Path,
    machine: FakeDriver,
    capsys: pytest.CaptureFixture[str],
    gpu: Gpu,
    line: str,
) -> None:
    machine.gpus = (gpu,)
    assert check(repository) == 1
    output, errors = capsys.readouterr()
    command = f"ernie-triton engine --repository {repository} --name news --version 1"
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("error: ")
    assert errors.endswith(f"{command}\n")
    assert re.search(line, errors)


def test_every_gpu_of_the_machine_needs_its_plan(repository: Path, machine: FakeDriver) -> None:
    machine.gpus = (T4, V100)
    assert check(repository) == 1
    write_plan(repository / "news_engine" / "1", V100)
    assert check(repository) == 0


def test_another_tensorrt_is_one_line(
    repository: Path,
    machine: FakeDriver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.cuda = 13020
    monkeypatch.setattr(check_plans, "tensorrt_version", lambda: "10.16.1")
    monkeypatch.setenv(TAG_VARIABLE, "26.04")
    assert check(repository) == 1
    errors = capsys.readouterr().err
    assert (
        "built with TensorRT 10.4.0.26, but the server has 10.16.1; run: ernie-triton engine"
        in errors
    )
    assert errors.count("\n") == 1


def test_a_gpu_that_the_configuration_does_not_name_is_told(
    repository: Path, machine: FakeDriver, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.gpus = (A10,)
    write_plan(repository / "news_engine" / "1", A10)
    assert check(repository) == 1
    assert capsys.readouterr().err == (
        f"error: {repository}/news_engine/config.pbtxt names no plan for the NVIDIA A10 (compute "
        f"capability 8.6), only for 7.0, 7.5; build the pipeline again\n"
    )


def test_an_int8_pipeline_is_not_for_a_v100(
    repository: Path, machine: FakeDriver, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.gpus = (V100,)
    config = repository / "news_engine" / "config.pbtxt"
    config.write_text(config.read_text("utf-8").replace('"7.0"', '"8.0"'), encoding="utf-8")
    assert check(repository, "--rebuild") == 1
    assert capsys.readouterr().err.endswith(
        "only for 7.5, 8.0; build the pipeline again, with --precision fp16 for a V100\n"
    )


def test_a_driver_older_than_the_images_cuda_is_told(
    repository: Path,
    machine: FakeDriver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.cuda = 11040
    assert check(repository) == 1
    assert capsys.readouterr().err == (
        "error: the host's driver 470.256.02 runs CUDA up to 11.4, but this image needs CUDA "
        "12.6.1; update the driver to 525 or newer, or set TRITON_TAG to an image with "
        "CUDA 11\n"
    )
    machine.cuda = 12060
    monkeypatch.setenv(TAG_VARIABLE, "26.08")
    assert check(repository) == 1
    assert "needs CUDA 13.4.1; update the driver to 580 or" in capsys.readouterr().err


def test_an_image_that_is_not_in_the_table_says_its_cuda_itself(
    machine: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TAG_VARIABLE, "27.01")
    monkeypatch.setenv("CUDA_VERSION", "14.0.1.007")
    with pytest.raises(GpuError, match=r"needs CUDA 14\.0\.1\.007; update the driver to one for"):
        this_server()
    assert machine.calls


def test_a_v100_is_sent_to_the_last_image_that_serves_it(
    repository: Path,
    machine: FakeDriver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine.gpus = (V100,)
    monkeypatch.setattr(check_plans, "tensorrt_version", lambda: "10.5.0")
    assert check(repository) == 1
    errors = capsys.readouterr().err
    assert "TensorRT 10.5.0 does not serve the Tesla V100-SXM2-16GB" in errors
    assert "set TRITON_TAG=24.09" in errors


def test_a_driver_without_a_gpu_is_told(
    repository: Path, machine: FakeDriver, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.gpus = ()
    assert check(repository) == 1
    assert "sees no GPU; start the container with --gpus all" in capsys.readouterr().err


def test_joined_stages_have_plans_too(
    tmp_path: Path, machine: FakeDriver, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs" / "1").mkdir(parents=True)
    config = (
        'parameters {\n  key: "engine.engine"\n  value {\n    string_value: "tensorrt"\n  }\n}\n'
    )
    (tmp_path / "pairs" / "config.pbtxt").write_text(config, encoding="utf-8")
    assert check(tmp_path) == 1
    assert "--name pairs --version 1" in capsys.readouterr().err
    write_plan(tmp_path / "pairs" / "1")
    assert check(tmp_path, "--model", "pairs") == 0
    assert machine.gpus == (T4,)


def test_a_repository_without_tensorrt_asks_for_no_gpu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_engine_stage(tmp_path, "news", config=CONFIG.replace("tensorrt", "onnxruntime"))
    assert check(tmp_path) == 0
    assert "has no TensorRT engine" in capsys.readouterr().out


def test_only_the_newest_version_is_served_and_checked(
    repository: Path, machine: FakeDriver, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "news_engine" / "10").mkdir()
    assert check(repository) == 1
    assert machine.gpus
    assert "--name news --version 10" in capsys.readouterr().err


def test_a_pipeline_can_be_checked_alone(
    repository: Path, machine: FakeDriver, capsys: pytest.CaptureFixture[str]
) -> None:
    write_engine_stage(repository, "other")
    assert machine.gpus
    assert check(repository, "--model", "news") == 0
    assert check(repository) == 1
    assert check(repository, "--model", "none") == 1
    assert "has no pipeline 'none'" in capsys.readouterr().err


def test_what_does_not_fit_is_built_when_asked_for(
    repository: Path, machine: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.gpus = (V100,)
    commands = []

    def run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        write_plan(repository / "news_engine" / "1", V100)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("ernie_triton.server.check_plans.run_child", run)
    assert check(repository, "--rebuild") == 0
    assert check(repository, "--rebuild") == 0
    wanted = ["-m", "ernie_triton", "engine", "--repository", str(repository), "--name", "news"]
    assert commands == [[sys.executable, *wanted, "--version", "1"]]


def test_a_build_that_fails_ends_with_1(
    repository: Path, machine: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.gpus = (V100,)

    def run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr("ernie_triton.server.check_plans.run_child", run)
    assert check(repository, "--rebuild") == 1


@pytest.mark.skipif(bool(ctypes.util.find_library("cuda")), reason="there is a driver")
def test_a_machine_without_a_gpu_is_told_in_one_line(repository: Path) -> None:
    command = [sys.executable, "-m", "ernie_triton", "check-plans", "--repository"]
    command.append(str(repository))
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no NVIDIA driver is visible")
    assert done.stderr.count("\n") == 1
