"""A student of a shorter vocabulary learns from a teacher that reads other tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ernie_triton.build.load import read_source
from ernie_triton.build.model.models import Model
from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer, save_model
from ernie_triton.errors import SubwordsError
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from ernie_triton.training.compression.distillation.distil import Distillation, distil
from ernie_triton.training.compression.distillation.students import StudentShape
from ernie_triton.training.compression.preparation import PreparedModel, prepared_model
from ernie_triton.training.compression.subwords.students import TeacherOfTexts, with_subwords
from ernie_triton.training.datasets import DataSet, read_dataset
from ernie_triton.training.loop.schedule import Schedule
from tests.training.tiny import data_folder, write_base

PIECES = 250
Trained = tuple[Path, DataSet]


def trained(folder: Path, name: str, task: str) -> Trained:
    """A classifier of random weights, and data of its task."""
    data = read_dataset(task, data_folder(folder / "data", name, train=200, dev=40))
    base = write_base(folder / "base")
    torch.manual_seed(0)
    model = load_model(base, task=task, labels=data.labels)
    save_model(model, folder / "teacher", tokenizer_from=base)
    return folder / "teacher", data


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(tmp_path_factory.mktemp("afqmc"), "afqmc", "seq_cls")


@pytest.fixture(scope="module")
def both(
    classifier: Trained, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PreparedModel, PreparedModel]:
    teacher = prepared_model(*classifier)
    folder = tmp_path_factory.mktemp("tokenizer")
    return teacher, with_subwords(teacher, PIECES, None, folder)


def test_the_student_begins_with_fewer_tokens_and_rows_for_all_of_them(
    both: tuple[PreparedModel, PreparedModel],
) -> None:
    teacher, student = both
    counts = [sum(len(row["input_ids"]) for row in one.task.rows(one.data.dev)) for one in both]
    assert counts[1] < counts[0] * 0.9
    size = load_vocabulary(student.checkpoint / "vocab.txt").size
    tables: list[Any] = [one.model.get_input_embeddings() for one in both]
    assert tables[1].weight.shape[0] == student.model.config.vocab_size == size
    old = tables[0].weight.shape[0]
    assert torch.equal(tables[1].weight[:old], tables[0].weight)
    assert teacher.model.config.vocab_size == old


def test_the_teacher_answers_for_the_texts_behind_the_students_rows(
    both: tuple[PreparedModel, PreparedModel],
) -> None:
    teacher, student = both
    examples = student.data.train[:24]
    answer = TeacherOfTexts(teacher, student, student.data).answer(
        student.task.collate(student.task.rows(examples))
    )
    for example, logits in zip(examples, answer.logits, strict=True):
        batch = teacher.task.collate([teacher.task.features(example)])
        with torch.no_grad():
            expected = teacher.model(**teacher.task.inputs(batch)).logits[0]
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_a_distilled_student_is_a_checkpoint_that_reads_words(
    classifier: Trained, tmp_path: Path
) -> None:
    checkpoint, data = classifier
    how = Distillation(answers=Schedule(epochs=1, learning_rate=1e-3), subwords=PIECES)
    report = distil(
        checkpoint, data, tmp_path / "student", StudentShape(layers=1), distillation=how
    )
    assert report.settings["subwords"] == PIECES
    assert report.settings["stages"]["layers"] is None
    source = read_source(tmp_path / "student")
    assert not source.tokenize_chinese_chars
    assert isinstance(source.model, Model)
    size = load_vocabulary(tmp_path / "student/vocab.txt").size
    assert source.model.encoder.vocabulary_size == size
    text = data.dev[0].texts[0]
    lengths = [
        load_tokenizer(folder, max_length=64).encode([text]).lengths[0]
        for folder in (tmp_path / "student", checkpoint)
    ]
    assert lengths[0] < lengths[1]


def test_a_task_of_places_in_the_text_is_refused(tmp_path: Path) -> None:
    checkpoint, data = trained(tmp_path, "msra_ner", "token_cls")
    with pytest.raises(SubwordsError, match="token_cls asks for places in the text"):
        with_subwords(prepared_model(checkpoint, data), PIECES, None, tmp_path / "tokenizer")
