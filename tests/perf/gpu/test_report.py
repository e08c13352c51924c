"""The GPU report, with the CPU in the GPU's place; a GPU that cannot be used leaves its reason."""

from __future__ import annotations

import re

import pytest

from ernie_triton.engines.onnx_runtime import CPU_PROVIDER, CUDA_PROVIDER
from ernie_triton.gpu.driver import CudaDriver
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.gpu import report
from ernie_triton.perf.gpu.report import GpuRun, gpu_report
from ernie_triton.perf.gpu.sessions import best_provider
from tests.engines.fake_tensorrt import FakeModule, FakeRtxModule
from tests.engines.test_tensorrt_runtime import Machine, put_plan

TINY = {"tiny": Shape(layers=1, hidden=32, heads=2, feed_forward=64)}


def rows_of(provider: str) -> tuple[str, dict[str, list[str]]]:
    """The beginning of a report, and its cells by the name of their row."""
    run = GpuRun(shapes=TINY, provider=provider, seconds=0.01, rows=(1, 3), tokens=(8,))
    facts, _, *lines = gpu_report(run, lambda _line: None)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return facts, {name: rest for name, *rest in cells}


def test_every_step_has_an_exact_answer_and_a_speed() -> None:
    facts, rows = rows_of(CPU_PROVIDER)
    assert "the CPU stands in. No figure is a GPU's" in facts
    graphs = [
        f"{name} {precision}{layout}"
        for precision in ("fp32", "fp16", "int8")
        for name, layout in (
            ("ONNX Runtime", " padded"),
            ("ONNX Runtime", " packed"),
            ("our stage on ONNX Runtime", ""),
        )
    ]
    assert list(rows) == [*graphs, "PyTorch padded"]
    for name, (difference, on_cpu, *rates) in rows.items():
        assert float(difference) <= (1e-5 if "fp32" in name or "PyTorch" in name else 2e-2), name
        assert on_cpu == "all"
        assert len(rates) == 4
        assert all(int(rate.replace(",", "")) > 0 for rate in rates)


def test_a_gpu_that_onnx_runtime_cannot_use_leaves_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if best_provider() == CUDA_PROVIDER:
        pytest.skip("here it can")
    monkeypatch.setattr(
        "onnxruntime.get_available_providers", lambda: [CUDA_PROVIDER, CPU_PROVIDER]
    )
    assert best_provider() == CUDA_PROVIDER
    _, rows = rows_of(CUDA_PROVIDER)
    failed = [cells[0] for name, cells in rows.items() if "ONNX Runtime" in name]
    assert len(failed) == 9
    assert all(re.match("failed: ONNX Runtime .*(CUDA|cannot load)", reason) for reason in failed)
    assert float(rows["PyTorch padded"][0]) <= 2e-2


def test_our_stage_is_measured_on_tensorrt_where_there_is_a_gpu_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(monkeypatch)
    machine.packages = [FakeModule(), FakeRtxModule()]
    monkeypatch.setattr(report, "CudaDriver", lambda: CudaDriver(machine.libraries))
    monkeypatch.setattr(report, "imported_package", machine.imported)
    monkeypatch.setattr(report, "this_machine", lambda *, is_rtx: machine.packages[is_rtx])
    monkeypatch.setattr(
        report, "make_plan", lambda request, package, _step: put_plan(request.folder, package)
    )
    monkeypatch.setattr(report, "_PRECISIONS", ("fp16",))
    facts, rows = rows_of(CPU_PROVIDER)
    assert "GPU: Tesla T4 (7.5)" in facts
    for name in ("TensorRT", "TensorRT for RTX"):
        difference, on_cpu, *rates = rows[f"our stage on {name} fp16"]
        assert (float(difference) <= 2e-2, on_cpu, len(rates)) == (True, "not asked", 4)
