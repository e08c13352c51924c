"""A plan is run with its inputs at the right addresses; what TensorRT refuses is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ernie_triton.batch import TokenBatch
from ernie_triton.build.tensorrt import execution
from ernie_triton.build.tensorrt.api import TensorRt
from ernie_triton.build.tensorrt.execution import DeviceMemory, PlanRunner
from ernie_triton.build.tensorrt.plan_check import onnx_runner
from ernie_triton.errors import GpuError, PlanError
from ernie_triton.server.gpu import CudaDriver
from tests.build.tensorrt.conftest import WriteGraph
from tests.build.tensorrt.fake_runtime import FakeTensorRt
from tests.server.fake_cuda import FakeDriver, driver_of


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    fake = FakeDriver()
    monkeypatch.setattr(
        execution, "DeviceMemory", lambda: DeviceMemory(CudaDriver(driver_of(fake)))
    )
    return fake


def runner_of(tensorrt: Any, plan: bytes) -> PlanRunner:
    return PlanRunner(tensorrt, plan)


def batch() -> TokenBatch:
    lengths = np.array([5, 2, 9], np.int32)
    ids = np.random.default_rng(0).integers(1, 1000, lengths.sum(), dtype=np.int32)
    return TokenBatch(input_ids=ids, token_type_ids=np.zeros_like(ids), lengths=lengths)


@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_a_run_gives_what_the_graph_computes(
    driver: FakeDriver, small_graph: WriteGraph, layout: str
) -> None:
    graph = small_graph("fp32", layout)
    feed = batch().packed() if layout == "packed" else batch().padded(0, 128)
    expected = onnx_runner(graph)(feed)
    run = runner_of(FakeTensorRt(), str(graph).encode())
    for _ in range(2):
        found = run(feed)
        assert set(found) == {"logits"}
        np.testing.assert_array_equal(found["logits"], expected["logits"])
    assert found["logits"].dtype == np.float32
    assert driver.memory == {}


def test_an_output_may_have_a_shape_that_only_the_run_knows(
    driver: FakeDriver, tmp_path: Path
) -> None:
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["tokens"])
    places = helper.make_tensor_value_info("places", TensorProto.INT64, [1, "found"])
    nodes = [helper.make_node("NonZero", ["input_ids"], ["places"])]
    opsets = [helper.make_opsetid("", 20)]
    graph = helper.make_graph(nodes, "places", [ids], [places])
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "odd.onnx")
    run = runner_of(FakeTensorRt(), str(tmp_path / "odd.onnx").encode())
    for given, expected in (([0, 7, 0, 9], [1, 3]), ([0, 0], [])):
        found = run({"input_ids": np.array(given, np.int32)})["places"]
        np.testing.assert_array_equal(found, np.array([expected], np.int64), strict=True)
    assert driver.memory == {}


def test_too_little_memory_for_an_output_is_told(
    driver: FakeDriver, small_graph: WriteGraph
) -> None:
    feed = batch().packed()
    run = runner_of(FakeTensorRt(), str(small_graph("fp32", "packed")).encode())
    driver.most_buffers = len(feed) - 1  # one input is not the graph's
    with pytest.raises(GpuError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        run(feed)
    assert driver.memory == {}


def test_the_real_base_class_takes_our_output_allocator(compiler: TensorRt) -> None:
    fake = FakeDriver()
    with DeviceMemory(CudaDriver(driver_of(fake))) as memory:
        allocator = execution.output_allocator_class(compiler.module)(memory)
        assert allocator.reallocate_output_async("logits", 0, 12, 256, 77) in fake.memory
        allocator.notify_shape("logits", (3, 1))
        assert allocator.shapes == {"logits": (3, 1)}


def test_other_integers_are_brought_to_the_plans_type(
    driver: FakeDriver, small_graph: WriteGraph
) -> None:
    graph = small_graph("fp32", "packed")
    wide = {name: array.astype(np.int64) for name, array in batch().packed().items()}
    found = runner_of(FakeTensorRt(), str(graph).encode())(wide)
    expected = onnx_runner(graph)(batch().packed())
    np.testing.assert_array_equal(found["logits"], expected["logits"])
    assert driver.calls


def test_a_plan_that_cannot_be_loaded_is_told() -> None:
    with pytest.raises(PlanError, match="cannot be loaded: the reason that TensorRT gave"):
        runner_of(FakeTensorRt(), b"nothing there")


def test_too_little_gpu_memory_is_told(small_graph: WriteGraph) -> None:
    tensorrt = FakeTensorRt()
    tensorrt.module.has_memory = False
    with pytest.raises(PlanError, match=r"cannot be run: .* smaller --max-batch-size"):
        runner_of(tensorrt, str(small_graph("fp32", "packed")).encode())


def test_a_shape_outside_of_the_profile_is_told(
    driver: FakeDriver, small_graph: WriteGraph
) -> None:
    tensorrt = FakeTensorRt()
    tensorrt.module.most_rows = 2
    run = runner_of(tensorrt, str(small_graph("fp32", "padded")).encode())
    with pytest.raises(PlanError, match=r"does not take input_ids of the shape \[3, 16\]"):
        run(batch().padded(0, 128))
    assert driver.memory == {}


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
