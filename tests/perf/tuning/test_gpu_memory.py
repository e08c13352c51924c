"""A GPU bounds the instances of an engine that a tuning tries; one that is too small is told."""

from pathlib import Path
from typing import Any

import pytest

from ernie_triton.errors import PipelineError
from ernie_triton.gpu.driver import CudaDriver
from ernie_triton.perf.tuning import gpu_memory
from ernie_triton.perf.tuning.gpu_memory import most_gpu_instances
from ernie_triton.pipeline import PipelineSpec
from tests.gpu.fake_cuda import FakeDriver, Libraries, driver_of
from tests.gpu.plan_files import write_plan

MIB = 1 << 20


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """The GPU of a machine with TensorRT."""
    fake = FakeDriver()
    monkeypatch.setattr(gpu_memory, "CudaDriver", lambda: CudaDriver(driver_of(fake)))
    monkeypatch.setattr(gpu_memory, "imported_package", lambda _: object())
    return fake


def pipeline(repository: Path, engine: str = "tensorrt", **changed: Any) -> PipelineSpec:
    spec = PipelineSpec(
        checkpoint=Path("c"),
        task="seq_cls",
        repository=repository,
        name="a",
        engine=engine,
        device="gpu",
        precision="fp16",
        **changed,
    )
    folder = repository / spec.stage("engine") / "1"
    write_plan(folder, activation_bytes=100 * MIB)
    return spec


@pytest.mark.parametrize(("free_mib", "most"), [(613, 1), (4000, 1), (10_000, 4), (90_000, 8)])
def test_weights_and_activations_are_taken_again_by_each_instance(
    driver: FakeDriver, tmp_path: Path, free_mib: int, most: int
) -> None:
    driver.free_bytes = free_mib * MIB
    assert most_gpu_instances(pipeline(tmp_path)) == most
    assert "cuDevicePrimaryCtxRelease_v2" in driver.calls


def test_a_gpu_without_room_for_one_is_told(driver: FakeDriver, tmp_path: Path) -> None:
    driver.free_bytes = 300 * MIB
    with pytest.raises(PipelineError, match="a takes 612 MiB of GPU memory, but 300 are free"):
        most_gpu_instances(pipeline(tmp_path, joined=True))


def test_without_a_plan_the_graph_is_what_an_instance_holds(
    driver: FakeDriver, tmp_path: Path
) -> None:
    driver.free_bytes = 4200 * MIB
    spec = pipeline(tmp_path)
    for path in (tmp_path / "a_engine" / "1").glob("model_*"):
        path.unlink()
    assert most_gpu_instances(spec) == 2


def test_a_machine_that_would_serve_on_its_cpu_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpu_memory, "has_cuda", lambda: False)
    with pytest.raises(PipelineError, match="no package here runs it there; install onnxruntime-"):
        most_gpu_instances(pipeline(tmp_path, "onnxruntime"))
    monkeypatch.setattr(gpu_memory, "has_cuda", lambda: True)
    monkeypatch.setattr(gpu_memory, "CudaDriver", lambda: CudaDriver(Libraries({})))
    with pytest.raises(PipelineError, match="none can be used here: no NVIDIA driver is visible"):
        most_gpu_instances(pipeline(tmp_path / "again", "onnxruntime"))
