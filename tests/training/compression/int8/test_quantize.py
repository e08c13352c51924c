"""`quantize` from the command line: what it leaves builds, its figures hold, QAT mends."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ernie_triton.errors import DatasetError, PipelineError
from ernie_triton.pipeline import load_pipeline
from ernie_triton.training.compression.int8.folder import drawn_texts
from ernie_triton.training.compression.int8.quantize import QuantizeOptions
from ernie_triton.training.datasets import read_dataset
from tests.build.models import tree_of
from tests.build.test_build import manifest_in
from tests.commands import Run
from tests.paths import ROOT
from tests.training.compression.news import few_news

TEACHER = ROOT / "samples/checkpoints/tnews"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first lines of the sample news."""
    return few_news(tmp_path_factory.mktemp("news"), train=1200, dev=300)


def with_outliers(folder: Path, size: float) -> Path:
    """The sample with a neuron in each layer that never fires and whose outgoing weights are huge.

    It answers as before, but for that neuron; the largest step of each row is then that weight's,
    and most others round to 0.
    """
    shutil.copytree(TEACHER, folder)
    state = load_file(folder / "model.safetensors")
    for layer in range(2):
        name = f"ernie.encoder.layer.{layer}"
        state[f"{name}.intermediate.dense.weight"][3] = 0.0
        state[f"{name}.intermediate.dense.bias"][3] = -60.0
        state[f"{name}.output.dense.weight"][:, 3] = size
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def figures_of(folder: Path) -> Any:
    return json.loads((folder / "quantization.json").read_text(encoding="utf-8"))


def test_what_it_leaves_builds_for_cpu_and_gpu(tmp_path: Path, data: Path, run: Run) -> None:
    output = tmp_path / "int8"
    done = run("quantize", TEACHER, "--data", data, "--output", output)
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["int8"]
    figures = figures_of(output)
    assert [one["engine"] for one in figures["engines"]] == ["openvino", "tensorrt"]
    assert figures["training"] is None
    texts = (output / "calibration.txt").read_text(encoding="utf-8").splitlines()
    assert len(texts) == figures["calibration_texts"] == 512
    train = (data / "train.json").read_text(encoding="utf-8").splitlines()
    assert set(texts) <= {" ".join(json.loads(line)["sentence"].split()) for line in train}

    for name, pipeline in (("cpu", "pipeline.toml"), ("gpu", "pipeline.gpu.toml")):
        built = run("build", output / pipeline, "--name", name, "--threads", 1)
        assert built.code == 0, built.stderr
    made = manifest_in(output / "model_repository", "cpu")
    (cpu, _) = figures["engines"]
    assert made["quality"]["before"] == cpu["fp32"] == figures["fp32"]
    assert made["quality"]["after"] == cpu["int8"]
    assert made["quantization"]["layers"] == cpu["layers"]
    assert made["quantization"]["calibration_texts"] == 512
    assert manifest_in(output / "model_repository", "gpu")["engine"]["engine"] == "tensorrt"


def test_the_damage_of_every_layer_is_told_and_the_worst_are_kept(
    tmp_path: Path, data: Path, run: Run
) -> None:
    broken = with_outliers(tmp_path / "broken", 150.0)
    output = tmp_path / "int8"
    options = ("--engine", "onnxruntime", "--qat", "never")
    done = run("quantize", broken, "--data", data, "--output", output, *options)
    assert done.code == 0, done.stderr
    (figures,) = figures_of(output)["engines"]
    damage = figures["damage"]
    assert len(damage) == 13
    assert list(damage.values()) == sorted(damage.values(), reverse=True)
    assert set(list(damage)[:2]) == {"layer_0/output", "layer_1/output"}
    assert figures["fp32"] - figures["rounded"] > 0.5
    assert figures["fp32"] - figures["int8"] <= 0.5
    assert set(figures["kept"]) <= {"layer_0/output", "layer_1/output"}
    assert figures["kept"] == {name: damage[name] for name in figures["kept"]}
    assert figures["layers"] == 13 - len(figures["kept"])
    assert "fine-tuning was not wanted" in done.stdout


def test_fine_tuning_with_rounding_mends_what_rounding_breaks(
    tmp_path: Path, data: Path, run: Run
) -> None:
    broken = with_outliers(tmp_path / "broken", 60.0)
    output = tmp_path / "int8"
    options = ("--engine", "onnxruntime", "--qat-learning-rate", 1e-3, "--qat-epochs", 2)
    done = run("quantize", broken, "--data", data, "--output", output, *options)
    assert done.code == 0, done.stderr
    figures = figures_of(output)
    (before,), (after,) = figures["after_rounding"], figures["engines"]
    assert before["fp32"] - before["rounded"] > 0.5
    assert before["kept"]
    assert figures["training"]["before"] == pytest.approx(before["rounded"], abs=0.4)
    assert figures["fp32"] - after["int8"] <= 0.5
    assert not after["kept"]
    assert "fine-tuning with rounding is kept" in done.stdout
    # A plain checkpoint, with other weights, and no trace of the rounding.
    state, old = (load_file(folder / "model.safetensors") for folder in (output, broken))
    name = "ernie.encoder.layer.1.output.dense.weight"
    assert not torch.equal(state[name], old[name])
    assert not [key for key in state if "scale" in key]


def test_lines_are_drawn_once_with_one_space_for_white_space(data: Path) -> None:
    read = read_dataset("seq_cls", data)
    odd = dataclasses.replace(read.train[0], texts=("一\u2028二\t 三",))
    some = dataclasses.replace(read, train=(odd, odd, *read.train[:5]))
    lines = drawn_texts(some, 100, seed=1)
    assert sorted(lines) == sorted({"一 二 三", *(one.texts[0] for one in read.train[:5])})
    assert drawn_texts(some, 100, seed=1) == lines
    assert drawn_texts(some, 100, seed=2) != lines
    with pytest.raises(DatasetError, match="1 different texts"):
        drawn_texts(dataclasses.replace(read, train=(odd, odd)), 100, seed=0)


def test_what_cannot_be_quantised_is_one_line_and_nothing_is_left(
    tmp_path: Path, data: Path, run: Run
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").write_text("x", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    before = tree_of(tmp_path)
    for checkpoint, output, words in (
        (TEACHER, "there", "exists; name another folder"),
        (tmp_path / "empty", "new", "config.json"),
        (ROOT / "samples/checkpoints/msra_ner", "new", "expected tokens"),
    ):
        done = run("quantize", checkpoint, "--data", data, "--output", tmp_path / output)
        assert done.code == 1
        (line,) = [line for line in done.other_lines if line.startswith("error: ")]
        assert words in line
    assert tree_of(tmp_path) == before


def test_a_broken_line_names_its_file_and_number(tmp_path: Path, run: Run) -> None:
    folder = few_news(tmp_path, train=20, dev=20)
    lines = (folder / "train.json").read_text(encoding="utf-8").splitlines()
    lines[6] = '{"sentence": "没有标签"}'
    (folder / "train.json").write_text("\n".join(lines), encoding="utf-8")
    done = run("quantize", TEACHER, "--data", folder, "--output", tmp_path / "int8")
    assert done.code == 1
    assert f"{folder / 'train.json'}:7" in done.stderr
    assert not (tmp_path / "int8").exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"qat": "maybe"}, "qat is 'maybe'"),
        ({"engines": ("tflite",)}, "tflite"),
        ({"engines": ()}, "engines are"),
        ({"calibrator": "best"}, "calibrator is 'best'"),
        ({"calibration_texts": 1}, "calibration_texts is 1"),
    ],
)
def test_wrong_options_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        QuantizeOptions(**values)


def test_the_pipeline_survives_a_move_of_its_folder(tmp_path: Path, data: Path, run: Run) -> None:
    output = tmp_path / "int8"
    options = ("--engine", "onnxruntime", "--calibration-texts", 16)
    assert run("quantize", TEACHER, "--data", data, "--output", output, *options).code == 0
    moved = output.rename(tmp_path / "moved")
    spec = load_pipeline(moved / "pipeline.toml")
    assert (spec.checkpoint, spec.engine) == (moved, "onnxruntime")
    assert spec.quantization.calibration == moved / "calibration.txt"
    assert spec.quantization.data is not None
    assert spec.quantization.data.samefile(data / "dev.json")
