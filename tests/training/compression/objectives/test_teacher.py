"""The teacher answers each row once, whatever it is padded to."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ernie_triton.training.compression.objectives.teacher import Teacher
from tests.training.compression.teachers import school
from tests.training.tiny import TASKS

NAMES = ("logits", "start_logits", "end_logits")


@pytest.mark.parametrize("name", TASKS)
def test_answers_are_remembered_row_by_row(tmp_path: Path, name: str) -> None:
    taught = school(tmp_path, name, train=8)
    rows = taught.task.rows(taught.data.train)
    rows.sort(key=lambda row: len(row["input_ids"]))
    calls = []
    taught.model.register_forward_hook(lambda *_: calls.append(1))
    teacher = Teacher(taught.model, taught.data.task)
    batches = [taught.task.collate(some) for some in (rows[:4], rows[4:])]
    first: list[Any] = [teacher.answer(batch) for batch in batches]
    assert len(calls) == 2
    mixed = taught.task.collate([rows[0], rows[-1], rows[5]])
    again = teacher.answer(mixed)
    assert len(calls) == 2
    expected = taught.model(**taught.task.inputs(mixed))
    mask = mixed["attention_mask"].bool()
    for key in set(NAMES) & set(expected.keys()):
        found, wanted = getattr(again, key), expected[key]
        if found.shape[:2] == mask.shape and name in ("msra_ner", "cmrc2018"):
            found, wanted = found[mask], wanted[mask]
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
        assert getattr(first[0], key).requires_grad is False


def test_the_teacher_does_not_learn(tmp_path: Path) -> None:
    taught = school(tmp_path, "tnews")
    taught.model.train()
    signals = Teacher(taught.model, "seq_cls").signals(next(iter(taught.batches(4))))
    assert not taught.model.training
    assert not any(parameter.requires_grad for parameter in taught.model.parameters())
    assert len(signals.hidden) == 3
    assert signals.query[1].shape == signals.value[0].shape == (*signals.hidden[0].shape[:2], 32)
