"""The metric of a training is the figure that `--evaluate` prints."""

import json
from pathlib import Path

import pytest

from ernie_triton.build.check.local_answers import local_evaluator
from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from ernie_triton.engines import Engine
from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets import DataSet, read_dataset
from ernie_triton.training.tasks import training_task
from ernie_triton.training.tasks.evaluation import TorchRuntime, _settings
from tests.paths import SAMPLES
from tests.training.tiny import TASKS, data_folder, model_and_task, part_of, write_base

RECORDED = {
    "tnews": "dev_accuracy",
    "afqmc": "dev_accuracy",
    "msra_ner": "dev_f1",
    "multi_label": "dev_micro_f1",
    "similarity": "dev_spearman",
}
"""What the samples' own training measured, with transformers' tokenizer and its own formulas."""


@pytest.mark.parametrize("name", RECORDED)
def test_a_sample_checkpoint_has_the_points_that_its_own_training_measured(name: str) -> None:
    folder = SAMPLES / "checkpoints" / name
    data = read_dataset(TASKS[name], SAMPLES / "data" / name)
    model = load_model(folder, task=data.task, labels=data.outputs)
    task = training_task(data, load_tokenizer(folder, max_length=128), max_length=128)
    recorded = json.loads((folder / "training.json").read_text(encoding="utf-8"))[RECORDED[name]]
    found = task.evaluate(model, data.dev)
    assert found.points == pytest.approx(100 * recorded, abs=0.02)
    assert found.examples == len(data.dev)


@pytest.mark.parametrize("name", TASKS)
def test_examples_have_the_points_of_their_file(tmp_path: Path, name: str) -> None:
    # The file's way: the reader of `--evaluate`.
    if name == "extraction":  # an untrained model finds spans everywhere, and asks for each again
        folder = data_folder(tmp_path / "data", name, train=30, dev=12)
        data = read_dataset(TASKS[name], folder)
    else:
        data = part_of(name, train=30, dev=10_000)
    model, task = model_and_task(write_base(tmp_path / "base"), data, max_length=64)
    parts = task.parts()
    outputs = [tensor.name for tensor in parts.task.engine_outputs]
    engine = Engine(runtime=TorchRuntime(model, outputs), settings=_settings(parts))
    wanted = local_evaluator(parts, engine).evaluate_file(data.dev_path)
    found = task.evaluate(model, data.dev)
    assert (found.metric, found.figures) == (wanted.metric, wanted.figures)
    assert found.points == pytest.approx(wanted.points, abs=1e-6)


def test_measuring_leaves_a_model_in_its_mode(tmp_path: Path) -> None:
    data: DataSet = part_of("tnews", train=2, dev=2)
    model, task = model_and_task(write_base(tmp_path / "base"), data)
    for training in (True, False):
        model.train(training)
        task.evaluate(model, data.dev)
        assert model.training is training
    with pytest.raises(DatasetError, match="no examples to measure on"):
        task.evaluate(model, ())
