"""A student learns what its teacher knows, from texts that are scored once."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ernie_triton.build.load import read_source
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.errors import CheckpointError, TextError
from ernie_triton.training.compression.preparation import prepared_model
from ernie_triton.training.compression.slim import (
    Augmentation,
    SlimTraining,
    distil_slim,
    soft_scores,
)
from ernie_triton.training.compression.slim.soft_scores import TeacherScorer, teacher_scorer
from ernie_triton.training.loop.schedule import Schedule
from tests.build.test_build import manifest_in
from tests.commands import Run
from tests.training.compression.slim.teachers import LABELS, data_in, save_teacher

SMALL = SlimTraining(
    embedding_size=8,
    hidden_size=16,
    bigram_buckets=64,
    filters=(8, 8),
    dropout=0.0,
    augmentation=Augmentation(copies=2),
    schedule=Schedule(epochs=3, batch_size=16, learning_rate=2e-2, precision="fp32"),
    max_length=32,
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.mark.parametrize("kind", ["bow", "cnn"])
def test_a_student_learns_its_teacher_s_answers_and_is_built(
    tmp_path: Path, teacher: Path, run: Run, kind: str
) -> None:
    data = data_in(tmp_path)
    # The labels of the data are wrong: what is learned can only be the teacher's.
    wrong = tuple(
        dataclasses.replace(one, target=(int(str(one.target)) + 1) % 3) for one in data.train
    )
    data = dataclasses.replace(data, train=wrong)
    report = distil_slim(teacher, data, tmp_path / "student", kind=kind, training=SMALL)
    assert report.before.points is not None
    assert report.after.points is not None
    assert report.before.points > 95
    assert report.after.points > 90
    assert report.settings["rows"] == 3 * len(data.train)
    assert {path.name for path in tmp_path.iterdir()} == {"student"}
    recorded = json.loads((tmp_path / "student/compression.json").read_text(encoding="utf-8"))
    assert recorded["after"]["points"] == report.after.points
    source = read_source(tmp_path / "student")
    assert isinstance(source.model, SlimModel)
    assert (source.model.kind, source.labels) == (kind, LABELS)
    assert report.after.parameters == source.model.parameters
    arguments = ("--checkpoint", tmp_path / "student", "--repository", tmp_path / "models")
    done = run("build", *arguments, "--task", "seq_cls", "--engine", "onnxruntime")
    assert done.code == 0, done.stderr
    assert manifest_in(tmp_path / "models")["exactness"]["largest_difference"] < 1e-4


def test_the_same_seed_gives_the_same_student_and_kept_scores_are_taken(
    tmp_path: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_in(tmp_path, train=40, dev=10)
    monkeypatch.setattr(soft_scores, "ROWS_OF_A_PART", 50)
    work = tmp_path / "work"
    real = TeacherScorer.scores
    kept = {}

    def scores_and_files(self: TeacherScorer, rows: Any) -> Any:
        found = real(self, rows)
        kept.update({path: path.read_bytes() for path in (work / "scores").iterdir()})
        return found

    monkeypatch.setattr(TeacherScorer, "scores", scores_and_files)
    distil_slim(teacher, data, tmp_path / "first", training=SMALL, work=work)
    assert len(kept) == 3  # 120 rows
    assert not work.exists()
    (work / "scores").mkdir(parents=True)
    for path, content in kept.items():
        path.write_bytes(content)
    # An engine that cannot run: nothing is left to score.
    idle = SimpleNamespace(settings=SimpleNamespace(precision="bf16"))
    monkeypatch.setattr(soft_scores, "load_engine", lambda *_: idle)
    distil_slim(teacher, data, tmp_path / "second", training=SMALL, work=work)
    first, second = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second")
    )
    assert first == second


def test_scores_are_the_teacher_s_and_change_with_it(tmp_path: Path, teacher: Path) -> None:
    data = data_in(tmp_path, train=30, dev=10)
    ready = prepared_model(teacher, data, max_length=32)
    rows = ready.task.rows(data.train)
    scorer = teacher_scorer(teacher, ready.model, ready.task, tmp_path / "scores")
    found = scorer.scores(rows)
    with torch.inference_mode():
        expected = [
            ready.model(torch.from_numpy(row["input_ids"].astype(np.int64))[None]).logits[0].numpy()
            for row in rows
        ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.2)  # bf16 where the CPU has it
    assert len(list((tmp_path / "scores").iterdir())) == 1
    other = save_teacher(tmp_path / "other", labels=LABELS)
    weights = other / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    teacher_scorer(other, ready.model, ready.task, tmp_path / "scores").scores(rows)
    assert len(list((tmp_path / "scores").iterdir())) == 2


def test_texts_without_labels_are_taken_too(tmp_path: Path, teacher: Path) -> None:
    data = data_in(tmp_path, train=20, dev=10)
    more = tmp_path / "more.txt"
    more.write_text("经济好\n体育不好\n电影\n", encoding="utf-8")
    how = dataclasses.replace(SMALL, unlabelled=more)
    report = distil_slim(teacher, data, tmp_path / "student", kind="bow", training=how)
    assert report.settings["rows"] == 3 * 23
    assert report.settings["unlabelled"] == str(more)
    missing = SlimTraining(unlabelled=tmp_path / "none.txt")
    with pytest.raises(TextError, match=r"none\.txt cannot be read"):
        distil_slim(teacher, data, tmp_path / "other", training=missing)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"embedding_size": 0}, "embedding_size is 0; expected at least 1"),
        ({"filters": ()}, r"filters \[\]"),
        ({"bigram_buckets": -1}, "bigram_buckets is -1"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
        ({"temperature": 0.0}, r"temperature 0\.0"),
    ],
)
def test_values_outside_their_range_are_refused(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(CheckpointError, match=fault):
        SlimTraining(**values)


def test_what_cannot_be_distilled_is_refused(tmp_path: Path, teacher: Path) -> None:
    data = data_in(tmp_path, train=5, dev=5)
    with pytest.raises(CheckpointError, match="the student is 'lstm'; expected bow or cnn"):
        distil_slim(teacher, data, tmp_path / "student", kind="lstm")
    tagging = dataclasses.replace(data, task="token_cls")
    with pytest.raises(CheckpointError, match=r"found data of token_cls in .*name a shape instead"):
        distil_slim(teacher, tagging, tmp_path / "student", kind="cnn")
    with pytest.raises(CheckpointError, match="expected the data that the model was fine-tuned on"):
        distil_slim(
            save_teacher(tmp_path / "t", labels=("a", "b", "c")), data, tmp_path / "student"
        )
    (tmp_path / "student").mkdir()
    (tmp_path / "student/file").touch()
    with pytest.raises(CheckpointError, match="student exists"):
        distil_slim(teacher, data, tmp_path / "student")
