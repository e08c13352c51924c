"""Distillation from a checkpoint to a student that builds as any other."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ernie_triton.build.torch_models.layer_widths import LayerWidth, widths_of
from ernie_triton.errors import CheckpointError, DatasetError
from ernie_triton.training.compression.distillation.distil import Distillation, distil
from ernie_triton.training.compression.distillation.layers import PROJECTION, LayerObjective
from ernie_triton.training.compression.distillation.students import StudentShape
from ernie_triton.training.compression.objectives.objectives import AnswerObjective, LossWeights
from ernie_triton.training.compression.objectives.teacher import Teacher
from ernie_triton.training.compression.preparation import prepared_model
from ernie_triton.training.datasets import with_unlabelled
from ernie_triton.training.loop.schedule import Schedule
from tests.commands import Run
from tests.training.compression.teachers import (
    LENGTH,
    few_lines,
    loaded,
    prepared_teacher,
    write_teacher,
)
from tests.training.tiny import TASKS, part_of

ONCE = Schedule(epochs=1, batch_size=8, learning_rate=1e-3, precision="fp32")
SHORT = Distillation(
    layers=dataclasses.replace(ONCE, keep_best=False), answers=ONCE, examples=8, max_length=LENGTH
)


@pytest.mark.parametrize("name", TASKS)
def test_a_student_of_every_task_builds_as_any_other(tmp_path: Path, run: Run, name: str) -> None:
    folder = few_lines(tmp_path / "data", name, train=16, dev=5)
    teacher = write_teacher(tmp_path / "teacher", name)
    shape = ("--student", "layers=1,hidden=24,heads=3", "--layer-epochs", 1, "--epochs", 1)
    where = ("--data", folder, "--output", tmp_path / "student", "--max-length", LENGTH)
    done = run("distil", teacher, "--task", TASKS[name], *where, *shape, "--precision", "fp32")
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "student")
    student = loaded(tmp_path / "student", task=TASKS[name])
    assert widths_of(student) == (LayerWidth(heads=3, feed_forward=48),)
    assert student.config.hidden_size == 24
    pair = ("--pair",) if part_of(name, train=1, dev=1).pair and name != "cmrc2018" else ()
    models = ("--repository", tmp_path / "models", "--engine", "onnxruntime", "--max-length", 64)
    chosen = ("--checkpoint", tmp_path / "student", "--task", TASKS[name])
    built = run("build", *chosen, *models, *pair, "--threads", 1)
    assert built.code == 0, built.stderr


def test_what_is_written_is_what_was_measured(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews", train=40, dev=30)
    shape = StudentShape(layers=1, hidden=48)
    output = tmp_path / "student"
    report = distil(prepared.checkpoint, prepared.data, output, shape, distillation=SHORT)
    again = prepared_model(output, prepared.data, max_length=LENGTH)
    assert again.points_of(again.model) == report.after.points
    assert PROJECTION not in dict(again.model.named_modules())
    written = json.loads((output / "compression.json").read_text(encoding="utf-8"))
    assert written["settings"]["hidden"] == 48
    assert written["before"]["layers"] == 2
    assert written["after"]["layers"] == 1
    assert set(written["seconds"]) == {"initialising", "layers", "answers"}
    assert not (tmp_path / "student.work").exists()


def test_a_killed_run_goes_on_to_the_same_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepared_teacher(tmp_path, "tnews", train=40)
    shape = StudentShape(layers=1, hidden=16, heads=2)
    whole = distil(prepared.checkpoint, prepared.data, tmp_path / "a", shape, distillation=SHORT)
    with monkeypatch.context() as patch:
        patch.setattr(AnswerObjective, "__call__", _killed)
        with pytest.raises(KeyboardInterrupt):
            distil(prepared.checkpoint, prepared.data, tmp_path / "b", shape, distillation=SHORT)
        # The first stage is not done again.
        assert (tmp_path / "b.work/layers").is_dir()
    monkeypatch.setattr(LayerObjective, "__call__", _killed)
    again = distil(prepared.checkpoint, prepared.data, tmp_path / "b", shape, distillation=SHORT)
    assert again.after == whole.after
    first, second = (loaded(tmp_path / name, task="seq_cls").state_dict() for name in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)


def _killed(*_: Any) -> torch.Tensor:
    raise KeyboardInterrupt


def test_both_objectives_bring_the_student_nearer_to_the_teacher(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews", train=160)
    longer = dataclasses.replace(ONCE, epochs=5, learning_rate=3e-3)
    batch = next(iter(prepared.batches(32)))
    objectives: dict[str, Any] = {
        "layers": LayerObjective(Teacher(prepared.model, "seq_cls"), LossWeights(), (1,)),
        "answers": AnswerObjective(
            Teacher(prepared.model, "seq_cls"), prepared.task, LossWeights()
        ),
    }
    far: dict[str, list[float]] = {name: [] for name in objectives}
    for name, layers, answers in (
        ("barely", None, dataclasses.replace(ONCE, learning_rate=1e-9)),
        ("layers", dataclasses.replace(longer, keep_best=False), ONCE),
        ("answers", None, longer),
    ):
        how = dataclasses.replace(SHORT, layers=layers, answers=answers)
        shape = StudentShape(layers=1)
        distil(prepared.checkpoint, prepared.data, tmp_path / name, shape, distillation=how)
        student = loaded(tmp_path / name, task="seq_cls")
        for part, objective in objectives.items():
            with torch.no_grad():
                far[part].append(float(objective(student, batch)))
    assert far["layers"][1] < 0.8 * far["layers"][0]
    assert far["answers"][2] < 0.8 * far["answers"][0]


@pytest.mark.parametrize("name", TASKS)
def test_the_teacher_s_own_copy_has_nothing_to_learn(tmp_path: Path, name: str) -> None:
    prepared = prepared_teacher(tmp_path, name)
    copy = loaded(prepared.checkpoint, task=TASKS[name])
    teacher, batch = Teacher(prepared.model, TASKS[name]), next(iter(prepared.batches(4)))
    layers = LayerObjective(teacher, LossWeights(), (0, 1))
    answers = AnswerObjective(teacher, prepared.task, LossWeights(labels=0.0))
    for objective in (layers, answers):
        assert float(objective(copy, batch).detach()) == pytest.approx(0.0, abs=1e-5)
    with_labels = AnswerObjective(teacher, prepared.task, LossWeights(answers=0.0, labels=2.0))
    expected = 2.0 * float(prepared.task.loss(copy, dict(batch)).detach())
    assert float(with_labels(copy, batch).detach()) == pytest.approx(expected, rel=1e-5)


def test_every_weight_of_the_student_has_a_gradient(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews")
    student = loaded(prepared.checkpoint, task="seq_cls").train()
    objective = LayerObjective(Teacher(prepared.model, "seq_cls"), LossWeights(), (0, 1))
    loss: Any = objective(student, next(iter(prepared.batches(4))))
    loss.backward()
    assert all(parameter.grad is not None for parameter in student.parameters())


@pytest.mark.parametrize("name", TASKS)
def test_texts_without_labels_are_taught_too(tmp_path: Path, name: str) -> None:
    prepared = prepared_teacher(tmp_path, name)
    pair = prepared.data.pair
    path = tmp_path / "texts.txt"
    line = "今天天气好\t今天下雨吗" if pair else "今天天气好"
    path.write_text(f"{line}\n{line}。\n", encoding="utf-8")
    more = with_unlabelled(prepared.data, path)
    assert len(more.train) == len(prepared.data.train) + 2
    rows = prepared.task.rows(more.train)
    assert len(rows) == len(prepared.task.rows(prepared.data.train)) + 2
    batch = prepared.task.collate(rows[-2:])
    teacher = Teacher(prepared.model, TASKS[name])
    objective = AnswerObjective(teacher, prepared.task, LossWeights())
    assert torch.isfinite(objective(loaded(prepared.checkpoint, task=TASKS[name]), batch))


@pytest.mark.parametrize(
    ("pair", "content", "message"),
    [
        (False, "a\n\nb\n", r"texts\.txt:2: found ''; expected one text without tabs"),
        (False, "a\tb\n", r"texts\.txt:1: found 'a\\tb'; expected one text"),
        (True, "a\tb\nc\n", r"texts\.txt:2: found 'c'; expected two texts with a tab between"),
        (False, "", "has no lines"),
        (False, None, r"texts\.txt cannot be read: No such file"),
    ],
)
def test_a_broken_line_of_texts_is_named(
    tmp_path: Path, pair: bool, content: str | None, message: str
) -> None:
    data = dataclasses.replace(part_of("tnews", train=1, dev=1), pair=pair)
    path = tmp_path / "texts.txt"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        with_unlabelled(data, path)


def test_what_cannot_be_done_is_said_in_a_line(tmp_path: Path, run: Run) -> None:
    teacher = write_teacher(tmp_path / "teacher", "tnews")
    news = few_lines(tmp_path / "news", "tnews", train=4, dev=2)
    pairs = few_lines(tmp_path / "pairs", "afqmc", train=4, dev=2)

    def message(student: str, *options: object, data: Path = news) -> str:
        where = ("--data", data, "--output", tmp_path / "out")
        done = run("distil", teacher, *where, "--student", student, *options)
        assert done.code == 1
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        return line

    assert "the student 'tiny' has 'tiny'; expected one of base" in message("tiny")
    assert "which 5 heads do not divide" in message("heads=5")
    assert "its teacher only 2" in message("layers=7")
    assert "scores the labels news_story" in message("layers=1", data=pairs)
    assert "temperature is 0; expected above 0" in message("layers=1", "--temperature", 0)
    assert "leave out --layer-epochs" in message("bow", "--layer-epochs", 1)
    assert not (tmp_path / "out").exists()


def test_weights_of_losses_are_checked() -> None:
    with pytest.raises(CheckpointError, match="weight of hidden is -1; expected at least 0"):
        LossWeights(hidden=-1.0)
