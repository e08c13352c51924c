"""FP16 and INT8 keep every task's metric: FP16 to 0.1 points, INT8 to 0.5, on whole dev sets.

Nothing is kept out of INT8 here, and ranges come from our own sample texts, which are none of the
samples' data. What the metric was before is read from the training's record.
"""

import dataclasses
from functools import lru_cache
from pathlib import Path

import pytest

from ernie_triton.build.check.local_answers import local_evaluator
from ernie_triton.build.convert.conversion import calibrated_scales
from ernie_triton.build.convert.quantization import Int8Graphs
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import Numerics
from tests.build.samples import METRICS, Sample

# The record has four decimals.
ROUNDING = 0.01


@lru_cache(maxsize=1)
def sample_named(name: str) -> Sample:
    return Sample(name)


def int8_points(sample: Sample, folder: Path, engine: str, device: str) -> float:
    spec = dataclasses.replace(sample.spec, engine=engine, precision="int8", device=device)
    calibrator = spec.quantization.calibrator
    scales = calibrated_scales(sample.model, sample.texts(), calibrator)
    graph = Int8Graphs(model=sample.model, spec=spec, scales=scales).graph(())
    made = sample.engine(graph, folder, engine, "int8")
    return local_evaluator(sample.parts, made).evaluate_file(sample.data).points


@pytest.mark.parametrize("name", METRICS)
def test_fp16_keeps_the_metric_in_onnx_runtime(name: str, tmp_path: Path) -> None:
    sample = sample_named(name)
    graph = export_onnx(sample.model, "packed", Numerics(compute="fp16"))
    engine = sample.engine(graph, tmp_path, "onnxruntime", "fp16")
    points = local_evaluator(sample.parts, engine).evaluate_file(sample.data).points
    assert points == pytest.approx(sample.points, abs=0.1 + ROUNDING)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("name", METRICS)
def test_int8_keeps_the_metric_in_onnx_runtime(name: str, device: str, tmp_path: Path) -> None:
    sample = sample_named(name)
    points = int8_points(sample, tmp_path, "onnxruntime", device)
    assert points >= sample.points - 0.5 - ROUNDING


@pytest.mark.parametrize("name", METRICS)
def test_int8_keeps_the_metric_in_openvino(name: str, tmp_path: Path) -> None:
    sample = sample_named(name)
    points = int8_points(sample, tmp_path, "openvino", "cpu")
    assert points >= sample.points - 0.5 - ROUNDING
