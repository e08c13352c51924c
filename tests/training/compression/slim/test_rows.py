"""Rows with soft scores: made as the tokenizer makes them, learned as the formulas say."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import Vocabulary
from ernie_triton.training.compression.slim.rows import RowMaker, SoftScoreTraining
from ernie_triton.training.tasks import training_task
from tests.build.models import vocabulary_lines
from tests.build.slim_students import data_of

VOCABULARY = Vocabulary(
    ids={token: i for i, token in enumerate(vocabulary_lines())}, size=len(vocabulary_lines())
)
TEXTS = ["今天的股市大涨", "", "好", "1 2 3 4", "不" * 30]
PAIRS = ["好", "今天", "", "的" * 30, "是" * 11]


def task_of(folder: Path, *, pair: bool, task: str = "seq_cls") -> Any:
    tokenizer = TextEncoder(VOCABULARY, max_length=20, lower_case=True)
    return training_task(data_of(folder, pair=pair, task=task), tokenizer, max_length=20)


@pytest.mark.parametrize("pair", [False, True])
def test_rows_are_taken_apart_and_put_together_as_the_tokenizer_makes_them(
    tmp_path: Path, pair: bool
) -> None:
    maker = RowMaker(task_of(tmp_path, pair=pair))
    rows = list(maker.plain_rows(*(TEXTS, PAIRS)[: 1 + pair]))
    assert len(rows) == len(TEXTS)
    for row in rows:
        texts = maker.texts(row)
        assert len(texts) == 1 + pair
        made = maker.row(texts)
        for name in ("input_ids", "token_type_ids"):
            np.testing.assert_array_equal(made[name], row[name])
            assert made[name].dtype == np.int32


@pytest.mark.parametrize("pair", [False, True])
def test_what_does_not_fit_is_cut_as_the_tokenizer_cuts_it(tmp_path: Path, pair: bool) -> None:
    whole = TextEncoder(VOCABULARY, max_length=100, lower_case=True)
    maker = RowMaker(task_of(tmp_path, pair=pair))
    expected = list(maker.plain_rows(*(TEXTS, PAIRS)[: 1 + pair]))
    long = task_of(tmp_path, pair=pair)
    long.tokenizer = whole
    for row, cut in zip(
        RowMaker(long).plain_rows(*(TEXTS, PAIRS)[: 1 + pair]), expected, strict=True
    ):
        made = maker.row(maker.texts(row))
        np.testing.assert_array_equal(made["input_ids"], cut["input_ids"])
        np.testing.assert_array_equal(made["token_type_ids"], cut["token_type_ids"])


@pytest.mark.parametrize("task", ["seq_cls", "multi_label", "regression"])
def test_the_loss_is_0_at_the_teacher_s_scores_and_grows_away_from_them(
    tmp_path: Path, task: str
) -> None:
    scores = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 3.0]], np.float32)[
        :, : 1 if task == "regression" else 3
    ]
    rows = [
        {
            "input_ids": np.array([1, 7, 2], np.int32),
            "token_type_ids": np.zeros(3, np.int32),
            "labels": row,
        }
        for row in scores
    ]
    soft = SoftScoreTraining(task_of(tmp_path, pair=False, task=task), rows, temperature=2.0)
    assert soft.rows(()) == rows
    batch = soft.collate(soft.rows(()))
    assert batch["labels"].dtype == torch.float32

    def loss(change: float) -> float:
        moved = torch.from_numpy(scores) + change * torch.arange(scores.shape[1] or 1)
        moved = moved + (change if task == "regression" else 0.0)
        model: Any = lambda **_inputs: SimpleNamespace(logits=moved)  # noqa: E731
        return float(soft.loss(model, batch, smoothing=0.5))

    assert loss(0.0) == pytest.approx(0.0, abs=1e-6)
    assert 0 < loss(0.1) < loss(0.5) < loss(1.0)
