"""Buffers of a GPU are kept, grow, and are copied in the order of the stream."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ernie_triton.errors import GpuError
from ernie_triton.gpu.driver import CudaDriver
from ernie_triton.gpu.memory import DeviceMemory
from tests.gpu.fake_cuda import FakeDriver, driver_of


def memory_of(fake: FakeDriver) -> DeviceMemory:
    return DeviceMemory(CudaDriver(driver_of(fake)))


def test_an_array_comes_back_as_it_went() -> None:
    memory = memory_of(fake := FakeDriver())
    array = np.arange(12, dtype=np.int32).reshape(3, 4).T  # not contiguous
    assert memory.upload("ids", array) in fake.memory
    empty = np.zeros((0, 3), np.float32)
    memory.upload("none", empty)
    wanted = {"ids": ((4, 3), np.int32), "none": ((0, 3), np.float32)}
    found = memory.download(wanted)
    np.testing.assert_array_equal(found["ids"], array, strict=True)
    np.testing.assert_array_equal(found["none"], empty, strict=True)
    memory.upload("ids", np.zeros((4, 3), np.int32))
    assert found["ids"].any()  # what came back is not the buffer itself


def test_a_buffer_stays_until_more_is_wanted() -> None:
    memory = memory_of(fake := FakeDriver())
    first = memory.reserve("scores", 1000)
    assert memory.reserve("scores", 1024) == memory.reserve("scores", 1) == first
    (address,) = fake.memory
    assert (address, len(fake.pinned)) == (first, 1)
    memory.reserve("scores", 1025)
    assert [len(buffer) for buffer in (*fake.memory.values(), *fake.pinned.values())] == [2048] * 2


def test_a_thread_says_that_it_uses_the_memory() -> None:
    memory = memory_of(FakeDriver())
    with ThreadPoolExecutor(1) as other:
        failed = other.submit(memory.reserve, "ids", 4)
        with pytest.raises(GpuError, match="CUDA_ERROR_INVALID_CONTEXT"):
            failed.result()
        other.submit(memory.enter).result()
        assert other.submit(memory.reserve, "ids", 4).result()


@pytest.mark.parametrize("function", ["cuMemAlloc_v2", "cuMemAllocHost_v2"])
def test_too_little_memory_is_told_and_nothing_is_kept(function: str) -> None:
    memory = memory_of(fake := FakeDriver(results={function: 2}))
    with pytest.raises(GpuError, match=rf"{function} gave 2 \(CUDA_ERROR_OUT_OF_MEMORY\)"):
        memory.reserve("scores", 1 << 40 if function == "cuMemAlloc_v2" else 8)
    assert (fake.memory, fake.pinned) == ({}, {})


def test_everything_is_given_back() -> None:
    memory = memory_of(fake := FakeDriver(free_bytes=12345))
    assert (memory.stream, memory.free_bytes) == (77, 12345)
    memory.upload("ids", np.zeros(8))
    memory.reserve("scores", 0)
    assert len(fake.memory) == len(fake.pinned) == 2
    memory.close()
    assert (fake.memory, fake.pinned) == ({}, {})
    assert fake.calls[-2:] == ["cuStreamDestroy_v2", "cuDevicePrimaryCtxRelease_v2"]
