"""Pruning from a checkpoint to a smaller one that builds as any other."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ernie_triton.build.torch_models.layer_widths import LayerWidth, layers_of, widths_of
from ernie_triton.errors import CheckpointError
from ernie_triton.training.compression.objectives.objectives import LossWeights
from ernie_triton.training.compression.objectives.teacher import Teacher
from ernie_triton.training.compression.preparation import prepared_model
from ernie_triton.training.compression.pruning.importance import weight_importance
from ernie_triton.training.compression.pruning.prune import Pruning, cut, prune
from ernie_triton.training.compression.pruning.recovery import RecoveryObjective
from ernie_triton.training.compression.pruning.rewiring import keep_parts
from ernie_triton.training.compression.pruning.widths import Kept, Width
from ernie_triton.training.loop.schedule import Schedule
from tests.commands import Run
from tests.training.compression.teachers import (
    LENGTH,
    answers_of,
    few_lines,
    loaded,
    mask_of,
    multiplied,
    prepared_teacher,
    write_teacher,
)
from tests.training.tiny import TASKS, part_of, write_base

SHORT = Schedule(epochs=1, batch_size=8, learning_rate=1e-3, precision="fp32")
UNEVEN = Pruning(
    width=Width(ranking="model", multiple=8), recovery=None, examples=16, max_length=LENGTH
)


@pytest.mark.parametrize("name", TASKS)
def test_a_pruned_checkpoint_of_every_task_builds_as_any_other(
    tmp_path: Path, run: Run, name: str
) -> None:
    folder = few_lines(tmp_path / "data", name, train=20, dev=5)
    teacher = write_teacher(tmp_path / "teacher", name)
    options = ("--no-recovery", "--ranking", "model", "--multiple", 8, "--width", 0.5)
    where = ("--data", folder, "--output", tmp_path / "pruned", "--max-length", LENGTH)
    done = run("prune", teacher, "--task", TASKS[name], *where, *options)
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "pruned")
    model = loaded(tmp_path / "pruned", task=TASKS[name])
    assert sum(width.heads for width in widths_of(model)) == 4
    pair = ("--pair",) if part_of(name, train=1, dev=1).pair and name != "cmrc2018" else ()
    models = ("--repository", tmp_path / "models", "--engine", "onnxruntime", "--max-length", 64)
    chosen = ("--checkpoint", tmp_path / "pruned", "--task", TASKS[name])
    built = run("build", *chosen, *models, *pair, "--threads", 1)
    assert built.code == 0, built.stderr
    (manifest,) = (tmp_path / "models").glob("*/1/manifest.json")
    facts = manifest.read_text(encoding="utf-8")
    # transformers has no class of UIE's heads.
    assert ("NumPy" if name == "extraction" else "transformers 5") in facts


def test_the_whole_width_changes_nothing(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews")
    how = dataclasses.replace(UNEVEN, width=Width())
    report = prune(prepared.checkpoint, prepared.data, tmp_path / "same", width=1.0, pruning=how)
    batch = next(iter(prepared.batches(4)))
    same = loaded(tmp_path / "same", task="seq_cls")
    assert torch.equal(answers_of(same, batch), answers_of(prepared.model, batch))
    assert report.before == report.after
    assert report.after.points == report.before.points


def test_what_is_written_is_what_was_measured(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews", train=40, dev=30)
    how = dataclasses.replace(UNEVEN, recovery=dataclasses.replace(SHORT, epochs=2))
    output = tmp_path / "pruned"
    report = prune(prepared.checkpoint, prepared.data, output, width=0.5, pruning=how)
    again = prepared_model(output, prepared.data, max_length=LENGTH)
    assert again.points_of(again.model) == report.after.points
    assert prepared.points_of(prepared.model) == report.before.points
    written = json.loads((output / "compression.json").read_text(encoding="utf-8"))
    assert written["after"]["points"] == report.after.points
    assert written["metric"] == "accuracy"
    assert written["after"]["parameters"] == sum(p.numel() for p in again.model.parameters())
    layers = [LayerWidth(**width) for width in written["settings"]["layers"]]
    assert layers == list(widths_of(again.model))
    assert not (tmp_path / "pruned.work").exists()


def test_recovery_brings_answers_back_towards_the_teacher_s(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews", train=160)
    how = dataclasses.replace(
        UNEVEN, recovery=dataclasses.replace(SHORT, epochs=6, learning_rate=3e-3)
    )
    distances = []
    batch = next(iter(prepared.batches(32)))
    expected = answers_of(prepared.model, batch)
    for name, recovery in (("cut", None), ("recovered", how.recovery)):
        settings = dataclasses.replace(how, recovery=recovery)
        prune(prepared.checkpoint, prepared.data, tmp_path / name, width=0.25, pruning=settings)
        found = answers_of(loaded(tmp_path / name, task="seq_cls"), batch)
        distances.append(float((found - expected).abs().mean()))
    assert distances[1] < 0.7 * distances[0]


@pytest.mark.parametrize("name", TASKS)
def test_a_model_that_lost_nothing_has_nothing_to_learn(tmp_path: Path, name: str) -> None:
    prepared = prepared_teacher(tmp_path, name)
    batch = next(iter(prepared.batches(4)))
    kept = [Kept(heads=torch.arange(4).numpy(), neurons=torch.arange(64).numpy()) for _ in range(2)]
    teacher = Teacher(loaded(prepared.checkpoint, task=TASKS[name]), TASKS[name])
    objective = RecoveryObjective(teacher, prepared.task, LossWeights(labels=0.0), kept)
    assert float(objective(prepared.model, batch).detach()) == pytest.approx(0.0, abs=1e-5)
    with multiplied(layers_of(prepared.model)[0], "heads", torch.zeros(32)):
        lost = float(objective(prepared.model, batch).detach())
    assert lost > 1e-2


def test_recovery_compares_the_heads_that_were_kept(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews")
    batch = next(iter(prepared.batches(4)))
    first = Kept(heads=torch.tensor([2, 3]).numpy(), neurons=torch.arange(64).numpy())
    every = Kept(heads=torch.arange(4).numpy(), neurons=torch.arange(64).numpy())
    student = loaded(prepared.checkpoint, task="seq_cls")
    keep_parts(student, (first, every))
    whole = loaded(prepared.checkpoint, task="seq_cls")
    weights = LossWeights(answers=0.0, hidden=0.0, attention=1.0)
    with multiplied(layers_of(whole)[0], "heads", mask_of(first, "heads", 4, 8)):
        # In the first layer the kept heads see what they saw; in the second they would not, but
        # for the mask.
        objective = RecoveryObjective(
            Teacher(whole, "seq_cls"), prepared.task, weights, (first, every)
        )
        assert float(objective(student, batch).detach()) == pytest.approx(0.0, abs=1e-5)
    other = RecoveryObjective(
        Teacher(whole, "seq_cls"),
        prepared.task,
        weights,
        (dataclasses.replace(first, heads=torch.tensor([0, 1]).numpy()), every),
    )
    assert float(other(student, batch).detach()) > 1e-2


def test_without_data_the_weights_decide_and_speed_can_be_measured(
    tmp_path: Path, run: Run
) -> None:
    teacher = write_teacher(tmp_path / "teacher", "tnews")
    done = run("prune", teacher, "--output", tmp_path / "out", "--no-recovery", "--multiple", 8)
    assert (done.code, done.stderr) == (0, "")
    model: Any = loaded(tmp_path / "out", task="seq_cls")
    assert widths_of(model) == (LayerWidth(heads=3, feed_forward=48),) * 2
    assert json.loads((tmp_path / "out/compression.json").read_bytes())["before"]["points"] is None


def test_a_pruned_model_can_be_pruned_again(tmp_path: Path) -> None:
    teacher = write_teacher(tmp_path / "teacher", "tnews")
    how = Pruning(width=Width(multiple=8))
    prune(teacher, None, tmp_path / "once", width=0.75, pruning=how)
    prune(tmp_path / "once", None, tmp_path / "twice", width=0.34, pruning=how)
    widths = widths_of(loaded(tmp_path / "twice", task="seq_cls"))
    assert widths == (LayerWidth(heads=1, feed_forward=16),) * 2


def test_cutting_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = loaded(write_teacher(tmp_path / "t", "tnews"), task="seq_cls")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    cut(model, weight_importance(model), Width(share=0.5, multiple=8))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_what_cannot_be_done_is_said_in_a_line(tmp_path: Path, run: Run) -> None:
    teacher = write_teacher(tmp_path / "teacher", "tnews")
    news = few_lines(tmp_path / "news", "tnews", train=4, dev=2)
    pairs = few_lines(tmp_path / "pairs", "afqmc", train=4, dev=2)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").touch()

    def message(*options: object, output: str = "out") -> str:
        done = run("prune", teacher, "--output", tmp_path / output, *options)
        assert done.code == 1
        assert done.stdout == ""
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        return line

    assert "pruning needs --data" in message()
    assert "width is 1.5; expected the share" in message("--data", news, "--width", 1.5)
    assert "taken exists; name another folder" in message("--data", news, output="taken")
    assert "scores the labels news_story" in message("--data", pairs)
    assert "epochs is 0; expected at least 1" in message("--data", news, "--epochs", 0)
    assert "positions for 160 tokens" in message("--data", news, "--max-length", 500)
    (news / "train.json").write_text('{"sentence": "a", "label_desc": "nothing"}\n')
    assert "train.json:1" in message("--data", news)
    assert not (tmp_path / "out").exists()


def test_a_base_without_a_head_is_no_teacher(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    with pytest.raises(CheckpointError, match="names no labels"):
        prune(base, part_of("tnews", train=2, dev=2), tmp_path / "out")
