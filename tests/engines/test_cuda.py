"""ONNX Runtime on CUDA, with the CPU's memory and kernels in the place of a GPU's."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from ernie_triton.engines import Engine, load_engine
from ernie_triton.engines import onnx_runtime as module
from ernie_triton.engines.onnx_runtime import CudaRuntime
from ernie_triton.errors import EngineError
from ernie_triton.tasks import LAYOUTS
from tests.engines.tiny_model import (
    engine_settings,
    expected_logits,
    random_batch,
    random_model,
    write_tiny_engine,
)

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
OrtValue, InferenceSession = onnxruntime.OrtValue, onnxruntime.InferenceSession


class StandIn:
    """Takes the names of a GPU's session and memory, and counts the buffers."""

    def __init__(self, *, starts: bool = True) -> None:
        self.starts = starts
        self.buffers = 0
        self.OrtValue = self

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def ortvalue_from_numpy(self, array: Any, device: str, _id: int) -> Any:
        assert device == "cuda"
        self.buffers += 1
        return OrtValue.ortvalue_from_numpy(array.copy(), "cpu", 0)

    def InferenceSession(self, path: Path, options: Any, providers: list[str]) -> Any:  # noqa: N802
        assert providers == [CUDA, CPU]
        session = InferenceSession(path, options, providers=[CPU])
        bind = session.io_binding

        def io_binding() -> Any:
            made = bind()
            bind_output = made.bind_output

            def on_device(name: str, device: str) -> None:
                assert device == "cuda"
                bind_output(name, "cpu")

            made.bind_output = on_device
            return made

        session.io_binding = io_binding
        session.get_providers = lambda: providers if self.starts else [CPU]
        return session


def opened(monkeypatch: pytest.MonkeyPatch, gpu: StandIn, folder: Path, layout: str) -> Engine:
    settings = dataclasses.replace(engine_settings("onnxruntime", layout), device="gpu")
    write_tiny_engine(random_model(), settings, folder)
    names = ("get_available_providers", "InferenceSession", "OrtValue")
    for name in names:
        monkeypatch.setattr(onnxruntime, name, getattr(gpu, name))
    return load_engine(folder, settings)


def is_on_cuda(engine: Engine) -> bool:
    runtime: Any = engine.runtime
    return isinstance(runtime, CudaRuntime)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_answers_are_the_formulas_and_memory_is_used_again(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = StandIn()
    engine = opened(monkeypatch, gpu, tmp_path, layout)
    assert is_on_cuda(engine)
    kept = 0
    for seed in range(3):  # other tokens in the same shapes
        for lengths in ((5, 9, 2), (17,)):
            batch = random_batch(lengths, seed)
            found = engine.run(batch)["logits"]
            np.testing.assert_allclose(found, expected_logits(random_model(), batch), atol=1e-5)
        kept = kept or gpu.buffers
    assert gpu.buffers == kept > 0


def test_many_shapes_do_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHAPES_KEPT", 3)
    engine = opened(monkeypatch, StandIn(), tmp_path, "packed")
    runtime: Any = engine.runtime
    for lengths in ((2,), (17, 20), (30,) * 5, (9,)):
        batch = random_batch(lengths)
        found = engine.run(batch)["logits"]
        np.testing.assert_allclose(found, expected_logits(random_model(), batch), atol=1e-5)
        assert len(runtime._kept) <= 3 + 4


def test_a_gpu_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match=r"cannot start CUDA for .* in place of onnxruntime-gpu"):
        opened(monkeypatch, StandIn(starts=False), tmp_path, "packed")


def test_a_pipeline_of_a_gpu_runs_on_the_cpu_where_onnx_runtime_has_no_cuda(
    tmp_path: Path,
) -> None:
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("here it has")
    settings = dataclasses.replace(engine_settings("onnxruntime"), device="gpu")
    write_tiny_engine(random_model(), settings, tmp_path)
    assert not is_on_cuda(load_engine(tmp_path, settings))
