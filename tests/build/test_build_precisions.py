"""Whole builds in FP16 and INT8: what is published, what is recorded, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from ernie_triton.build.check.sample_texts import SAMPLE_TEXTS
from ernie_triton.build.config.reading import stage_parameters
from ernie_triton.engines.tensorrt_runtime import TensorRtRuntime
from ernie_triton.processor import instruction_sets
from ernie_triton.server.check_processor import proved_engines
from ernie_triton.stages.joined import JoinedStages
from tests.build.load.exports import PrunedClassifier, export, randomised
from tests.build.models import (
    LABELS,
    random_rows,
    save_transformers,
    transformers_logits,
    tree_of,
    vocabulary_lines,
    write_vocabulary,
)
from tests.build.test_build import engine_settings, manifest_in, served_logits
from tests.commands import Run
from tests.engines.test_tensorrt_runtime import Machine, put_plan
from tests.stages.calls import answers, texts

BATCH = random_rows((9, 2, 100, 33))
TEXTS = SAMPLE_TEXTS.read_text(encoding="utf-8").splitlines()
INT8_STEPS = [
    *("read", "vocabulary", "graph", "source", "calibrate", "quantize", "engine", "compare"),
    *("evaluate", "speed", "write", "publish"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Labelled lines; most labels are wrong, which is no matter to a difference."""
    path = tmp_path / "dev.json"
    lines = [{"sentence": text, "label": LABELS[0]} for text in TEXTS]
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(content, encoding="utf-8")
    return path


def arguments(checkpoint: Path, repository: Path, *more: object) -> tuple[object, ...]:
    where = ("--checkpoint", checkpoint, "--repository", repository)
    return ("build", "--task", "seq_cls", "--threads", 1, *where, *more)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_int8_is_built_and_its_cost_recorded(
    tmp_path: Path, checkpoint: Path, ernie: Any, run: Run, engine: str
) -> None:
    models = tmp_path / "models"
    options = ("--engine", engine, "--precision", "int8", "--allowed-changes", 0.2)
    done = run(*arguments(checkpoint, models, *options))
    assert (done.code, done.steps, done.other_lines) == (0, INT8_STEPS, [])
    assert engine_settings(models).precision == "int8"
    assert manifest_in(models)["engine"]["instructions"] == list(instruction_sets())
    (engine_here,) = proved_engines(models)
    assert engine_here.is_of_this_processor
    assert engine_here.proof.repeat(engine_here.folder) <= 1e-5
    assert 0.02 <= engine_here.proof.limit < 0.2
    expected = transformers_logits(ernie, BATCH)
    np.testing.assert_allclose(served_logits(models, BATCH), expected, rtol=0, atol=0.2)
    assert np.abs(served_logits(models, BATCH) - expected).max() > 1e-5

    made = manifest_in(models)
    assert made["exactness"]["tolerance"] is None
    assert made["engine"]["size_bytes"] > 0
    assert made["engine"]["fp32_size_bytes"] > 3.9 * made["model"]["parameters"]
    # Of so small a model the description is most; the numbers are a byte each, and some scales.
    if engine == "openvino":
        numbers = (models / "ernie_seqcls/1/model.bin").stat().st_size
        assert numbers < 2.5 * made["model"]["parameters"]
    rest = {"openvino": "bf16 where the CPU has it", "onnxruntime": "fp32"}
    facts = made["quantization"]
    assert {key: facts[key] for key in ("calibrator", "calibration", "layers", "rest")} == {
        "calibrator": "percentile",
        "calibration": "",
        "layers": 13 - len(facts["kept"]),
        "rest": rest[engine],
    }
    assert facts["calibration_texts"] == len(TEXTS)
    quality = made["quality"]
    assert (quality["metric"], quality["before"], quality["allowed_changes"]) == ("", None, 0.2)
    assert quality["decisions"] == len(TEXTS)
    assert quality["same_decisions"] >= 0.8 * len(TEXTS)
    assert made["speed"]["ratio_to_fp32"] > 0
    summary = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert {"int8", "kept", "quality", "proved"} <= set(summary)


def test_with_labelled_data_the_metric_decides(
    tmp_path: Path, checkpoint: Path, run: Run, data: Path
) -> None:
    models, calibration = tmp_path / "models", tmp_path / "texts.txt"
    calibration.write_text("今天天气\n1 2 3\n好\n", encoding="utf-8")
    options = ("--data", data, "--calibration", calibration, "--calibrator", "minmax")
    done = run(*arguments(checkpoint, models, "--precision", "int8", "--allowed-loss", 7, *options))
    assert (done.code, done.steps) == (0, INT8_STEPS), done.stderr
    made = manifest_in(models)
    assert made["quantization"]["calibration_texts"] == 3
    assert made["quantization"]["calibration"] == str(calibration)
    quality = made["quality"]
    assert (quality["metric"], quality["examples"]) == ("accuracy", len(TEXTS))
    assert (quality["data"], quality["allowed_loss"]) == (str(data), 7)
    assert quality["after"] >= quality["before"] - 7
    # Decisions are compared on the calibration texts too.
    assert quality["texts"] == len(TEXTS) + 3


def test_fp16_is_built_for_a_gpu_and_checked_here(
    tmp_path: Path, checkpoint: Path, run: Run, data: Path
) -> None:
    models = tmp_path / "models"
    options = ("--engine", "onnxruntime", "--device", "gpu", "--precision", "fp16", "--data", data)
    done = run(*arguments(checkpoint, models, *options))
    steps = [step for step in INT8_STEPS if step not in ("calibrate", "quantize", "speed")]
    steps.insert(4, "fp16")
    assert (done.code, done.steps, done.other_lines) == (0, steps, [])
    made = manifest_in(models)
    assert made["exactness"]["tolerance"] == 2e-2
    assert made["quality"]["allowed_loss"] == 0.1
    assert made["speed"] is None
    graph = onnx.load(models / "ernie_seqcls_engine/1/model.onnx")
    types = {item.name: item.data_type for item in graph.graph.initializer}
    assert types["layer_0/output/weight"] == onnx.TensorProto.FLOAT16


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_tensorrt_s_graph_is_checked_and_left_for_the_machine_with_the_gpu(
    tmp_path: Path,
    checkpoint: Path,
    run: Run,
    precision: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = tmp_path / "models"
    is_joined = precision == "fp16"
    options = ("--engine", "tensorrt", "--precision", precision, "--no-plan")
    form = "--joined" if is_joined else "--no-joined"
    done = run(*arguments(checkpoint, models, *options, form, "--allowed-changes", 0.2))
    assert (done.code, done.other_lines) == (0, [])
    assert "plan" not in done.steps
    made = manifest_in(models)
    assert (made["engine"]["engine"], made["plan"], made["speed"]) == ("tensorrt", None, None)
    folder = models / ("ernie_seqcls/1" if is_joined else "ernie_seqcls_engine/1")
    graph = onnx.load(folder / "model.onnx")
    # Signed and symmetric, which is all that TensorRT takes.
    zeros = [item for item in graph.graph.initializer if item.name == "int8_0"]
    assert [item.data_type for item in zeros] == [onnx.TensorProto.INT8] * (precision == "int8")
    assert "run ernie-triton engine" in done.stdout
    if is_joined:
        _assert_one_process_answers_on_a_gpu(folder, monkeypatch)


def _assert_one_process_answers_on_a_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From text to answer, with stand-ins for TensorRT and the GPU, as ONNX Runtime has it."""
    requests = [{"text": texts("北京", "上海的天气")}, {"text": texts("央行降息")}]
    found = {}
    for name in ("cpu", "gpu"):
        if name == "gpu":
            put_plan(folder, Machine(monkeypatch).packages[0])
        stage = JoinedStages.open(stage_parameters(folder.parent), folder)
        assert isinstance(stage._engine._engine.runtime, TensorRtRuntime) == (name == "gpu")
        found[name] = answers(stage, requests)
        stage.close()
    for on_cpu, on_gpu in zip(found["cpu"], found["gpu"], strict=True):
        assert on_cpu.keys() == on_gpu.keys()
        np.testing.assert_array_equal(on_gpu["label_name"], on_cpu["label_name"])
        np.testing.assert_allclose(on_gpu["scores"], on_cpu["scores"], atol=1e-3)


def test_what_fp16_cannot_hold_is_refused_and_nothing_is_written(
    tmp_path: Path, ernie: Any, run: Run
) -> None:
    state = {name: tensor.clone() for name, tensor in ernie.state_dict().items()}
    state["ernie.encoder.layer.0.intermediate.dense.bias"] += torch.tensor(70_000.0)
    folder = save_transformers(ernie, tmp_path / "checkpoint", state=state)
    before = tree_of(tmp_path)
    options = ("--engine", "onnxruntime", "--precision", "fp16")
    done = run(*arguments(folder, tmp_path / "models", *options))
    assert done.code == 1
    (line,) = done.other_lines
    assert "layer_0/intermediate" in line
    assert tree_of(tmp_path) == before


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_graph_that_is_served_as_it_came_has_no_other_precision(
    tmp_path: Path, run: Run, precision: str
) -> None:
    swish: Any = randomised(PrunedClassifier(lambda x: x * x.sigmoid()))
    path = tmp_path / "model.onnx"
    onnx.save(export(swish), path)
    special = ("[UNK]", "[CLS]", "[SEP]", "[PAD]")  # the module masks token 3
    vocabulary = write_vocabulary(tmp_path / "vocab.txt", vocabulary_lines(special=special))
    before = tree_of(tmp_path)
    options = (
        "--engine",
        "onnxruntime",
        "--precision",
        precision,
        "--vocab",
        vocabulary,
        "--max-length",
        16,
    )
    done = run(*arguments(path, tmp_path / "models", *options))
    assert done.code == 1
    (line,) = done.other_lines
    assert f"{precision} needs a model that is recognised: use --precision fp32" in line
    assert tree_of(tmp_path) == before


def test_data_of_another_task_are_one_line_and_nothing_is_written(
    tmp_path: Path, checkpoint: Path, run: Run
) -> None:
    path = tmp_path / "dev.json"
    path.write_text('{"tokens": ["今"], "labels": ["O"]}\n', encoding="utf-8")
    before = tree_of(tmp_path)
    done = run(*arguments(checkpoint, tmp_path / "models", "--precision", "int8", "--data", path))
    assert done.code == 1
    (line,) = done.other_lines
    assert "line 1: the object has tokens, labels, expected text or sentence" in line
    assert tree_of(tmp_path) == before
