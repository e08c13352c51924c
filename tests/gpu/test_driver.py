"""What the driver's libraries say becomes facts; what they refuse becomes one clear line."""

from __future__ import annotations

import pytest

from ernie_triton.errors import GpuError, PlanError
from ernie_triton.gpu.driver import CudaDriver, driver_version, tensorrt_version
from tests.gpu.fake_cuda import (
    A10,
    T4,
    FakeDriver,
    FakeInferenceLibrary,
    FakeNvml,
    Libraries,
    driver_of,
)


def test_gpus_are_listed_in_the_order_of_cuda() -> None:
    assert CudaDriver(driver_of(FakeDriver(gpus=(A10, T4)))).gpus() == (A10, T4)


@pytest.mark.parametrize(("number", "version"), [(12060, (12, 6)), (13010, (13, 1))])
def test_the_driver_tells_the_newest_cuda_it_runs(number: int, version: tuple[int, int]) -> None:
    assert CudaDriver(driver_of(FakeDriver(cuda=number))).cuda_version == version


def test_a_machine_without_a_driver_is_told_how_to_get_one() -> None:
    with pytest.raises(GpuError, match=r"no NVIDIA driver is visible .* --gpus all .*profile cpu"):
        CudaDriver(Libraries({}))


@pytest.mark.parametrize(
    ("result", "advice"),
    [
        (100, "100 .CUDA_ERROR_NO_DEVICE.; start the container with --gpus all"),
        (803, "restart the host"),
        (804, "update the host's driver"),
        (999, "check the GPU with nvidia-smi"),
    ],
)
def test_what_cuda_refuses_comes_with_advice(result: int, advice: str) -> None:
    with pytest.raises(GpuError, match=advice):
        CudaDriver(driver_of(FakeDriver(results={"cuInit": result})))


def test_the_hosts_driver_has_a_version_of_its_own() -> None:
    assert driver_version(Libraries({"libnvidia-ml.so.1": FakeNvml("535.183.01")})) == "535.183.01"
    assert driver_version(Libraries({})) == "unknown"


# NvInferVersion.h and NvInferRuntime.h: 8.6.1 is 8601, 10.4.0 is 100400, 11.2.1 is 110201.
@pytest.mark.parametrize(
    ("library", "number", "version"),
    [
        ("libnvinfer.so.8", 8601, "8.6.1"),
        ("libnvinfer.so.10", 100400, "10.4.0"),
        ("libnvinfer.so.10", 101601, "10.16.1"),
        ("libnvinfer.so.11", 110201, "11.2.1"),
    ],
)
def test_tensorrt_tells_its_version(library: str, number: int, version: str) -> None:
    assert tensorrt_version(Libraries({library: FakeInferenceLibrary(number)})) == version


def test_without_tensorrt_it_is_said_where_to_get_it() -> None:
    with pytest.raises(PlanError, match=r"TensorRT is not here: .* tritonserver image"):
        tensorrt_version(Libraries({}))
