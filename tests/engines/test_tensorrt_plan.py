"""A plan is run with its inputs at the right addresses; what TensorRT refuses is told."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ernie_triton.batch import TokenBatch
from ernie_triton.build.tensorrt.api import load_rtx
from ernie_triton.build.tensorrt.plan_check import onnx_runner
from ernie_triton.engines.tensorrt_module import TensorRtModule
from ernie_triton.engines.tensorrt_plan import PlanRunner, output_allocator_class
from ernie_triton.errors import GpuError, PlanError
from ernie_triton.gpu.driver import CudaDriver
from ernie_triton.gpu.memory import DeviceMemory
from tests.engines.fake_tensorrt import FakeModule, FakeRtxModule, plan_of
from tests.engines.tiny_model import engine_settings, random_model, write_tiny_engine
from tests.gpu.fake_cuda import FakeDriver, driver_of


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def graph(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    layout = getattr(request, "param", "packed")
    write_tiny_engine(random_model(), engine_settings("onnxruntime", layout), tmp_path)
    return tmp_path / "model.onnx"


def runner_of(driver: FakeDriver, graph: Path, module: FakeModule | None = None) -> PlanRunner:
    memory = DeviceMemory(CudaDriver(driver_of(driver)))
    return PlanRunner(TensorRtModule(module or FakeModule()), plan_of(graph), memory)


def batch() -> TokenBatch:
    lengths = np.array([5, 2, 9], np.int32)
    ids = np.random.default_rng(0).integers(1, 60, lengths.sum(), dtype=np.int32)
    return TokenBatch(input_ids=ids, token_type_ids=np.zeros_like(ids), lengths=lengths)


@pytest.mark.parametrize("graph", ["packed", "padded"], indirect=True)
@pytest.mark.parametrize("module", [FakeModule(), FakeRtxModule()], ids=lambda one: one.__name__)
def test_a_run_gives_what_the_graph_computes(
    driver: FakeDriver, graph: Path, module: FakeModule
) -> None:
    run = runner_of(driver, graph, module)
    feed = batch().packed() if "width" in run.input_types else batch().padded(0, 40)
    expected = onnx_runner(graph)(feed)
    for _ in range(2):
        found = run(feed)
        assert set(found) == {"logits"}
        np.testing.assert_array_equal(found["logits"], expected["logits"])
    assert found["logits"].dtype == np.float32


def test_memory_is_kept_between_runs_and_given_back_with_the_plan(
    driver: FakeDriver, graph: Path
) -> None:
    run = runner_of(driver, graph)
    first = run(batch().packed())["logits"].copy()
    kept = set(driver.memory), set(driver.pinned)
    for rows in ([1], [0, 2], [2, 1]):
        run(batch().select(np.array(rows)).packed())
    assert (set(driver.memory), set(driver.pinned)) == kept
    assert driver.memory
    np.testing.assert_array_equal(run(batch().packed())["logits"], first)
    del run
    gc.collect()
    assert (driver.memory, driver.pinned) == ({}, {})
    assert driver.calls[-2:] == ["cuStreamDestroy_v2", "cuDevicePrimaryCtxRelease_v2"]


def test_every_thread_may_run_a_plan(driver: FakeDriver, graph: Path) -> None:
    run = runner_of(driver, graph)
    with ThreadPoolExecutor(1) as other:
        found = other.submit(run, batch().packed()).result()
    expected = onnx_runner(graph)(batch().packed())
    np.testing.assert_array_equal(found["logits"], expected["logits"])


def test_an_output_may_have_a_shape_that_only_the_run_knows(
    driver: FakeDriver, tmp_path: Path
) -> None:
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["tokens"])
    places = helper.make_tensor_value_info("places", TensorProto.INT64, [1, "found"])
    nodes = [helper.make_node("NonZero", ["input_ids"], ["places"])]
    opsets = [helper.make_opsetid("", 20)]
    graph = helper.make_graph(nodes, "places", [ids], [places])
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "odd.onnx")
    run = runner_of(driver, tmp_path / "odd.onnx")
    for given, expected in (([0, 7, 0, 9], [1, 3]), ([0, 0], [])):
        found = run({"input_ids": np.array(given, np.int32)})["places"]
        np.testing.assert_array_equal(found, np.array([expected], np.int64), strict=True)


def test_too_little_memory_for_an_output_is_told_and_the_next_run_is_right(
    driver: FakeDriver, graph: Path
) -> None:
    run = runner_of(driver, graph)
    driver.most_buffers = len(run.input_types)
    with pytest.raises(GpuError, match="CUDA_ERROR_OUT_OF_MEMORY"):
        run(batch().packed())
    driver.most_buffers = 100
    expected = onnx_runner(graph)(batch().packed())
    np.testing.assert_array_equal(run(batch().packed())["logits"], expected["logits"])


def test_the_real_base_class_takes_our_output_allocator(driver: FakeDriver) -> None:
    memory = DeviceMemory(CudaDriver(driver_of(driver)))
    allocator = output_allocator_class(load_rtx().module)(memory)
    assert allocator.reallocate_output_async("logits", 0, 12, 256, 77) in driver.memory
    allocator.notify_shape("logits", (3, 1))
    assert allocator.shapes == {"logits": (3, 1)}


def test_other_integers_are_brought_to_the_plans_type(driver: FakeDriver, graph: Path) -> None:
    wide = {name: array.astype(np.int64) for name, array in batch().packed().items()}
    found = runner_of(driver, graph)(wide)
    expected = onnx_runner(graph)(batch().packed())
    np.testing.assert_array_equal(found["logits"], expected["logits"])


def test_a_plan_that_cannot_be_loaded_is_told(driver: FakeDriver) -> None:
    with pytest.raises(PlanError, match="the plan cannot be loaded: it does not say why"):
        runner_of(driver, Path("nothing there"))


def test_too_little_gpu_memory_is_told(driver: FakeDriver, graph: Path) -> None:
    module = FakeModule()
    module.has_memory = False
    with pytest.raises(PlanError, match=r"cannot be run: .* smaller --max-batch-size"):
        runner_of(driver, graph, module)


@pytest.mark.parametrize("graph", ["padded"], indirect=True)
def test_a_shape_outside_of_the_profile_is_told(driver: FakeDriver, graph: Path) -> None:
    module = FakeModule()
    module.most_rows = 2
    run = runner_of(driver, graph, module)
    with pytest.raises(PlanError, match=r"does not take input_ids of the shape \[3, 16\]"):
        run(batch().padded(0, 40))
