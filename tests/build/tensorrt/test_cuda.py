"""Arrays go to the GPU's memory and come back; whatever was taken is given back."""

from __future__ import annotations

import numpy as np
import pytest

from ernie_triton.build.tensorrt.cuda import DeviceMemory
from ernie_triton.errors import GpuError
from ernie_triton.server.gpu import CudaDriver
from tests.server.fake_cuda import FakeDriver, driver_of


def test_an_array_comes_back_as_it_went() -> None:
    fake = FakeDriver()
    array = np.arange(12, dtype=np.int32).reshape(3, 4).T  # not contiguous
    with DeviceMemory(CudaDriver(driver_of(fake))) as memory:
        address = memory.upload(array)
        assert address in fake.memory
        np.testing.assert_array_equal(memory.download(address, (4, 3), np.int32), array)


def test_what_runs_on_the_stream_is_waited_for() -> None:
    fake = FakeDriver()
    with DeviceMemory(CudaDriver(driver_of(fake))) as memory:
        assert memory.stream == 77
        memory.download(memory.allocate(4), (1,), np.float32)
    copied = fake.calls.index("cuMemcpyDtoH_v2")
    assert fake.calls[copied - 1] == "cuStreamSynchronize"


def test_everything_is_given_back_also_after_an_error() -> None:
    fake = FakeDriver()

    def fail(memory: DeviceMemory) -> None:
        with memory:
            memory.upload(np.zeros(8))
            memory.allocate(0)
            assert len(fake.memory) == 2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail(DeviceMemory(CudaDriver(driver_of(fake))))
    assert fake.memory == {}
    assert fake.calls[-2:] == ["cuStreamDestroy_v2", "cuDevicePrimaryCtxRelease_v2"]


def test_too_little_memory_is_told() -> None:
    fake = FakeDriver(results={"cuMemAlloc_v2": 2})
    with (
        DeviceMemory(CudaDriver(driver_of(fake))) as memory,
        pytest.raises(GpuError, match=r"cuMemAlloc_v2 gave 2 \(CUDA_ERROR_OUT_OF_MEMORY\)"),
    ):
        memory.allocate(1 << 40)
