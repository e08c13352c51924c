"""The teacher answers each row once, whatever it is padded to."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ernie_triton.training.compression.objectives.teacher import Teacher
from tests.training.compression.teachers import prepared_teacher
from tests.training.tiny import TASKS

NAMES = ("logits", "start_logits", "end_logits")


@pytest.mark.parametrize("name", TASKS)
def test_answers_are_remembered_row_by_row(tmp_path: Path, name: str) -> None:
    prepared = prepared_teacher(tmp_path, name, train=8)
    rows = prepared.task.rows(prepared.data.train)[:16]
    rows.sort(key=lambda row: len(row["input_ids"]))
    calls = []
    prepared.model.register_forward_hook(lambda *_: calls.append(1))
    teacher = Teacher(prepared.model, prepared.data.task)
    batches = [prepared.task.collate(some) for some in (rows[:4], rows[4:])]
    first: list[Any] = [teacher.answer(batch) for batch in batches]
    assert len(calls) == 2
    mixed = prepared.task.collate([rows[0], rows[-1], rows[5]])
    again = teacher.answer(mixed)
    assert len(calls) == 2
    expected = prepared.model(**prepared.task.inputs(mixed))
    mask = mixed["attention_mask"].bool()
    for key in set(NAMES) & set(expected.keys()):
        found, wanted = getattr(again, key), expected[key]
        if found.shape[:2] == mask.shape and name in ("msra_ner", "cmrc2018", "extraction"):
            found, wanted = found[mask], wanted[mask]
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
        assert getattr(first[0], key).requires_grad is False


def test_the_teacher_does_not_learn(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews")
    prepared.model.train()
    signals = Teacher(prepared.model, "seq_cls").signals(next(iter(prepared.batches(4))))
    assert not prepared.model.training
    assert not any(parameter.requires_grad for parameter in prepared.model.parameters())
    assert len(signals.hidden) == 3
    assert signals.query[1].shape == signals.value[0].shape == (*signals.hidden[0].shape[:2], 32)
