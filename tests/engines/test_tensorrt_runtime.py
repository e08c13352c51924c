"""The engine stage on TensorRT, with ONNX Runtime and host memory in the place of a GPU's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from ernie_triton.batch import TokenBatch
from ernie_triton.engines import Engine, load_engine
from ernie_triton.engines import tensorrt_runtime as module
from ernie_triton.engines.onnx_runtime import CudaRuntime, OnnxRuntime
from ernie_triton.engines.tensorrt_module import RTX_NAMES
from ernie_triton.engines.tensorrt_runtime import TensorRtRuntime
from ernie_triton.errors import GpuError, MissingExtraError, PlanError
from ernie_triton.gpu.driver import CudaDriver
from ernie_triton.gpu.plans import file_sha256
from ernie_triton.stages.engine import EngineStage
from ernie_triton.tasks import LAYOUTS
from tests.engines.fake_tensorrt import FakeModule, FakeRtxModule, plan_of
from tests.engines.test_cuda import StandIn
from tests.engines.tiny_model import (
    POSITIONS,
    engine_settings,
    expected_logits,
    random_batch,
    random_model,
    write_tiny_engine,
)
from tests.gpu.fake_cuda import A10, FakeDriver, Libraries, driver_of
from tests.gpu.plan_files import write_plan

MODEL = random_model()


class Machine:
    """A machine's driver and its packages of TensorRT."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.driver = FakeDriver()
        self.libraries = driver_of(self.driver)
        self.packages: list[Any] = [FakeModule()]
        monkeypatch.setattr(module, "CudaDriver", lambda: CudaDriver(self.libraries))
        monkeypatch.setattr(module, "imported_package", self.imported)

    def imported(self, names: Sequence[str]) -> Any:
        is_rtx = names == RTX_NAMES
        return next((p for p in self.packages if isinstance(p, FakeRtxModule) is is_rtx), None)

    def loaded(self, folder: Path, layout: str = "packed", *, plan: bool = True) -> Engine:
        settings = dataclasses.replace(engine_settings("tensorrt", layout), device="gpu")
        write_tiny_engine(MODEL, settings, folder)
        if plan:
            for package in self.packages:
                put_plan(folder, package)
        return load_engine(folder, settings)


def put_plan(folder: Path, package: FakeModule) -> None:
    """Put a plan that computes the graph beside it."""
    graph = folder / "model.onnx"
    is_rtx = isinstance(package, FakeRtxModule)
    content = plan_of(graph, b"vtrt" if is_rtx else b"")
    write_plan(
        folder,
        version=package.__version__,
        graph=graph.read_bytes(),
        body=content,
        is_rtx=is_rtx,
        graph_sha256=file_sha256(graph),
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("package", [FakeModule(), FakeRtxModule()], ids=lambda p: p.__name__)
def test_answers_are_the_formulas_whatever_the_rows(
    machine: Machine, tmp_path: Path, layout: str, package: FakeModule
) -> None:
    package.most_rows, package.most_tokens = 4, POSITIONS
    machine.packages = [package]
    engine = machine.loaded(tmp_path, layout)
    runtime: object = engine.runtime
    assert isinstance(runtime, TensorRtRuntime)
    for lengths in ((5, 9, 2), (17,), (3,) * 11, (POSITIONS,) * 9):
        batch = random_batch(lengths)
        found = engine.run(batch)["logits"]
        np.testing.assert_allclose(found, expected_logits(MODEL, batch), atol=1e-5)


def test_a_packed_batch_is_run_as_it_is(machine: Machine, tmp_path: Path) -> None:
    engine: Any = machine.loaded(tmp_path)
    for lengths in ((5, 9, 3), (17,)):
        engine.run(random_batch(lengths))
        shapes = engine.runtime._run._context.shapes
        assert (shapes["input_ids"], shapes["lengths"]) == ((17,), (len(lengths),))


def test_the_package_that_has_a_plan_is_taken(machine: Machine, tmp_path: Path) -> None:
    rtx = FakeRtxModule()
    machine.packages = [rtx]
    machine.loaded(tmp_path)
    machine.packages = [FakeModule(), rtx]
    runtime: Any = machine.loaded(tmp_path, plan=False).runtime
    assert runtime._run._engine.module is rtx


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (FakeModule(), r"has no plan for the Tesla T4 .* run: ernie-triton engine --repository"),
        (FakeRtxModule(), r"expected model_rtx_sm75\.plan; .* ernie-triton engine --rtx --repos"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_missing_plan_is_told_with_the_command_that_builds_it(
    machine: Machine, tmp_path: Path, package: FakeModule, reason: str
) -> None:
    machine.packages = [package]
    with pytest.raises(PlanError, match=reason):
        machine.loaded(tmp_path, plan=False)


@pytest.mark.parametrize("package", [FakeModule(), FakeRtxModule()], ids=lambda p: p.__name__)
def test_a_plan_of_another_version_or_gpu_is_refused(
    machine: Machine, tmp_path: Path, package: FakeModule
) -> None:
    machine.packages = [package]
    machine.loaded(tmp_path)
    machine.driver.gpus = (A10,)
    with pytest.raises(PlanError, match=r"no plan for the NVIDIA A10 .*plans there: model_.*sm75"):
        machine.loaded(tmp_path, plan=False)
    machine.driver.gpus = FakeDriver().gpus
    built, package.__version__ = package.__version__, "99.1.2"
    with pytest.raises(PlanError, match=rf"was built with .*{built}, but the server has 99\.1\.2;"):
        machine.loaded(tmp_path, plan=False)
    package.__version__ = built


@pytest.mark.parametrize(
    "libraries", [Libraries({}), driver_of(FakeDriver(results={"cuInit": 100}))]
)
def test_without_a_gpu_the_graph_runs_on_the_cpu(
    machine: Machine, tmp_path: Path, libraries: Libraries
) -> None:
    machine.libraries = libraries
    assert isinstance(machine.loaded(tmp_path).runtime, OnnxRuntime)


def test_without_a_package_the_graph_runs_in_onnx_runtime_where_that_has_cuda(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.packages = []
    with pytest.raises(MissingExtraError, match=r"pip install 'ernie-triton\[tensorrt\]'"):
        machine.loaded(tmp_path)
    gpu = StandIn()
    for name in ("get_available_providers", "InferenceSession", "OrtValue"):
        monkeypatch.setattr(onnxruntime, name, getattr(gpu, name))
    assert isinstance(machine.loaded(tmp_path).runtime, CudaRuntime)


def test_long_requests_run_later_from_a_thread_of_their_own(
    machine: Machine, tmp_path: Path
) -> None:
    stage = EngineStage(machine.loaded(tmp_path))
    batches = [random_batch(lengths) for lengths in ((3,), (POSITIONS,) * 3, (4,))]
    requests = [{"input_ids": one.padded(0, POSITIONS)["input_ids"]} for one in batches]
    outputs = stage.run([stage.read(one) for one in requests])
    assert [isinstance(one, Future) for one in outputs] == [False, True, False]
    stage.close()
    for batch, output in zip(batches, outputs, strict=True):
        found = output.result() if isinstance(output, Future) else output
        alone = TokenBatch(
            input_ids=batch.input_ids,
            token_type_ids=np.zeros_like(batch.token_type_ids),
            lengths=batch.lengths,
        )
        np.testing.assert_allclose(found["logits"], expected_logits(MODEL, alone), atol=1e-5)


def test_a_driver_that_does_not_work_is_told(machine: Machine, tmp_path: Path) -> None:
    machine.libraries = driver_of(FakeDriver(results={"cuInit": 804}))
    with pytest.raises(GpuError, match="update the host's driver"):
        machine.loaded(tmp_path)
