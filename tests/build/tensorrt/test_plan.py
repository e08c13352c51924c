"""A plan takes its place only when it computes what its graph does.

The builder is the real one of TensorRT for RTX, which needs no GPU; the GPU and the plan's run are
stand-ins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.arrays import Tensors
from ernie_triton.build.tensorrt import plan as plan_module
from ernie_triton.build.tensorrt.api import TensorRt
from ernie_triton.build.tensorrt.plan import (
    Machine,
    PlanRequest,
    build_plan,
    make_plan,
    this_machine,
)
from ernie_triton.build.tensorrt.plan_check import onnx_runner
from ernie_triton.build.tensorrt.profiles import EngineShapes
from ernie_triton.engines.tensorrt_plan import Runner
from ernie_triton.errors import ExactnessError, GpuError, MissingExtraError, PlanError
from ernie_triton.gpu.driver import CudaDriver, Gpu
from ernie_triton.gpu.plans import check_plan, file_sha256, read_facts
from ernie_triton.pipeline import Batching, TensorRtBuild
from tests.build.models import spec_of, tree_of
from tests.build.tensorrt.conftest import WriteGraph
from tests.gpu.fake_cuda import T4, V100, FakeDriver, driver_of

SHAPES = EngineShapes(layout="packed", max_rows=4, max_length=32, usual_rows=2, usual_tokens=12)


@contextmanager
def step(_name: str) -> Iterator[list[str]]:
    yield []


def machine(tensorrt: TensorRt, graph: Path, *, gpu: Gpu = T4, off: float = 0.0) -> Machine:
    """A machine whose plans compute what the graph does, off by so much."""

    def load_plan(_tensorrt: TensorRt, plan: bytes) -> Runner:
        assert len(plan) > 100_000
        run = onnx_runner(graph)

        def run_plan(inputs: Tensors) -> dict[str, npt.NDArray[Any]]:
            return {name: values + np.float32(off) for name, values in run(inputs).items()}

        return run_plan

    return Machine(
        tensorrt=tensorrt, gpu=gpu, driver="560.35.03", load_plan=load_plan, target="sm75"
    )


def request(graph: Path, folder: Path, **changed: Any) -> PlanRequest:
    return PlanRequest(
        **{"graph": graph, "folder": folder, "precision": "fp16", "shapes": SHAPES, **changed}
    )


def test_a_plan_and_its_facts_are_put_beside_the_graph(
    compiler: TensorRt, small_graph: WriteGraph, tmp_path: Path
) -> None:
    graph = small_graph("fp16", "packed")
    facts = make_plan(request(graph, tmp_path), machine(compiler, graph, off=1e-3), step)
    plan = tmp_path / "model_rtx_sm75.plan"
    assert set(tree_of(tmp_path)) == {"model_rtx_sm75.plan", "model_rtx_sm75.json"}
    assert check_plan(tmp_path, T4, compiler.version, is_rtx=True) == facts
    assert read_facts(plan).to_json() == facts.to_json()
    assert facts.plan_sha256 == file_sha256(plan)
    assert facts.graph_sha256 == file_sha256(graph)
    assert facts.size_bytes == plan.stat().st_size
    assert (facts.gpu, facts.compute_capability, facts.driver) == ("Tesla T4", "7.5", "560.35.03")
    assert facts.tensorrt == compiler.version
    assert facts.largest_difference == pytest.approx(1e-3, rel=1e-2)
    profile = json.loads((tmp_path / "model_rtx_sm75.json").read_text("utf-8"))["profile"]
    assert profile == {
        "input_ids": [[2], [24], [128]],
        "lengths": [[1], [2], [4]],
        "width": [[2], [12], [128]],
    }


def test_a_plan_that_computes_otherwise_leaves_the_old_one(
    compiler: TensorRt, small_graph: WriteGraph, tmp_path: Path
) -> None:
    graph = small_graph("fp16", "packed")
    make_plan(request(graph, tmp_path), machine(compiler, graph), step)
    before = tree_of(tmp_path)
    with pytest.raises(ExactnessError, match="the fp16 plan differs"):
        make_plan(request(graph, tmp_path), machine(compiler, graph, off=0.5), step)
    assert tree_of(tmp_path) == before


def test_a_graph_that_cannot_be_compiled_leaves_nothing(
    compiler: TensorRt, small_graph: WriteGraph, tmp_path: Path
) -> None:
    graph = small_graph("fp32", "packed")
    with pytest.raises(PlanError, match="cannot compile"):
        make_plan(request(graph, tmp_path, precision="fp32"), machine(compiler, graph), step)
    assert tree_of(tmp_path) == {}


def test_int8_is_refused_for_a_v100(
    compiler: TensorRt, small_graph: WriteGraph, tmp_path: Path
) -> None:
    graph = small_graph("int8", "packed")
    with pytest.raises(PlanError, match=r"no INT8 tensor cores; build .* --precision fp16"):
        make_plan(
            request(graph, tmp_path, precision="int8"), machine(compiler, graph, gpu=V100), step
        )


def test_a_gpu_that_no_configuration_names_is_refused_before_the_plan_is_built(
    compiler: TensorRt, small_graph: WriteGraph, tmp_path: Path
) -> None:
    graph = small_graph("fp16", "packed")
    unknown = Gpu(name="Rubin", compute_capability="10.7")
    with pytest.raises(PlanError, match=r"the Rubin has compute capability 10\.7, for which no"):
        make_plan(request(graph, tmp_path), machine(compiler, graph, gpu=unknown), step)


def test_a_folder_that_cannot_be_written_is_told(
    compiler: TensorRt, small_graph: WriteGraph, tmp_path: Path
) -> None:
    graph = small_graph("fp16", "packed")
    with pytest.raises(PlanError, match="none cannot be written"):
        make_plan(request(graph, tmp_path / "none"), machine(compiler, graph), step)


class TimedTensorRt:
    """A builder that takes the timing cache it is given and adds to it."""

    version = "10.4.0"

    def __init__(self, real: TensorRt) -> None:
        self.real = real
        self.caches: list[bytes] = []

    def read_graph(self, path: Path) -> Any:
        return self.real.read_graph(path)

    def compile(self, network: Any, profile: Any, settings: Any) -> Any:
        self.caches.append(settings.timing_cache)
        made = self.real.compile(network, profile, settings)
        cache = settings.timing_cache + b"timed;"
        return type(made)(plan=made.plan, timing_cache=cache, layers="", activation_bytes=0)


def test_timings_are_kept_from_one_build_to_the_next(
    compiler: TensorRt, small_graph: WriteGraph, tmp_path: Path
) -> None:
    graph = small_graph("fp16", "packed")
    cache = tmp_path / "caches" / "timing.cache"
    folder = tmp_path / "1"
    folder.mkdir()
    timed = TimedTensorRt(compiler)
    here = machine(timed, graph)  # type: ignore[arg-type]
    asked = request(graph, folder, settings=TensorRtBuild(timing_cache=cache))
    make_plan(asked, here, step)
    make_plan(asked, here, step)
    assert timed.caches == [b"", b"timed;"]
    assert cache.read_bytes() == b"timed;timed;"
    assert list(cache.parent.iterdir()) == [cache]


@pytest.mark.parametrize(
    ("layout", "profile"),
    [
        (
            "packed",
            {
                "input_ids": [[2], [80], [384]],
                "lengths": [[1], [4], [8]],
                "width": [[2], [20], [384]],
            },
        ),
        ("padded", {"input_ids": [[1, 2], [4, 48], [8, 48]]}),  # rows are full
    ],
)
def test_a_pipeline_says_what_its_plan_is_for(
    compiler: TensorRt,
    small_graph: WriteGraph,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
    profile: dict[str, list[list[int]]],
) -> None:
    graph = small_graph("fp16", layout)
    here = machine(compiler, graph)
    monkeypatch.setattr(plan_module, "this_machine", lambda: here)
    spec = spec_of(
        engine="tensorrt",
        precision="fp16",
        layout=layout,
        max_length=48,
        batching=Batching(max_batch_size=8),
        tensorrt=TensorRtBuild(builder_level=5),
    )
    facts = build_plan(graph, spec, tmp_path, rows=4, tokens=20)
    assert facts.profile == profile
    assert (facts.layout, facts.precision, facts.builder_level) == (layout, "fp16", 5)


def test_this_machine_is_its_first_gpu_and_its_tensorrt(
    compiler: TensorRt, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = driver_of(FakeDriver(gpus=(T4, V100)))
    monkeypatch.setattr(plan_module, "load_tensorrt", lambda: TimedTensorRt(compiler))
    monkeypatch.setattr(plan_module, "CudaDriver", lambda: CudaDriver(libraries))
    monkeypatch.setattr(plan_module, "driver_version", lambda: "560.35.03")
    here = this_machine()
    assert (here.gpu, here.driver, here.target) == (T4, "560.35.03", "")
    rtx = this_machine(is_rtx=True)
    assert (rtx.gpu, rtx.target, rtx.plan_path(Path()).name) == (T4, "sm75", "model_rtx_sm75.plan")
    libraries.by_name["libcuda.so.1"].gpus = (V100,)
    with pytest.raises(PlanError, match=r"does not compile for sm70 \(V100\)"):
        this_machine(is_rtx=True)


def test_without_tensorrt_or_a_gpu_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> TensorRt:
        raise MissingExtraError("tensorrt", "tensorrt", "building a TensorRT plan")

    monkeypatch.setattr(plan_module, "load_tensorrt", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'ernie-triton\[tensorrt\]'"):
        this_machine()
    fake = FakeDriver(results={"cuInit": 100})
    monkeypatch.setattr(plan_module, "load_tensorrt", lambda: TimedTensorRt)
    monkeypatch.setattr(plan_module, "CudaDriver", lambda: CudaDriver(driver_of(fake)))
    with pytest.raises(GpuError, match="--gpus all"):
        this_machine()
