"""The embedding task: its loss by its formula, its metric on a trained model."""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertTokenizer, ErnieModel

from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from ernie_triton.errors import DatasetError
from ernie_triton.training.commands.compression_options import read_data
from ernie_triton.training.datasets import DataSet, read_dataset
from ernie_triton.training.tasks import training_task
from tests.paths import SAMPLES

CHECKPOINT = SAMPLES / "checkpoints" / "sentence_pairs"
DATA = SAMPLES / "data" / "sentence_pairs"


@pytest.fixture(scope="module")
def data() -> DataSet:
    return read_dataset("embedding", DATA)


def test_the_loss_is_that_of_its_formula(data: DataSet) -> None:
    examples = [one for one in data.train if len(set(one.texts)) == 2][:12]
    task = training_task(data, load_tokenizer(CHECKPOINT, max_length=64), max_length=64)
    model = load_model(CHECKPOINT, task="embedding")
    loss = task.loss(model, task.collate(task.rows(examples))).item()

    theirs = ErnieModel.from_pretrained(str(CHECKPOINT)).train(mode=False)
    tokenizer = BertTokenizer.from_pretrained(str(CHECKPOINT))
    vectors = []
    for side in (0, 1):
        means = [
            theirs(**tokenizer(one.texts[side], return_tensors="pt"))[0][0].mean(0)
            for one in examples
        ]
        stacked = torch.stack(means).detach().double().numpy()
        vectors.append(stacked / np.linalg.norm(stacked, axis=1, keepdims=True))
    scores = vectors[0] @ vectors[1].T / 0.05
    wanted, own = 0.0, np.diag(scores)
    same = [index for index, one in enumerate(examples) if one.target == 1.0]
    different = [index for index, one in enumerate(examples) if one.target == 0.0]
    assert same
    assert different
    for table in (scores, scores.T):
        logs = table - np.log(np.exp(table).sum(1, keepdims=True))
        wanted -= np.mean([logs[index, index] for index in same])
    wanted += np.log(1 + sum(np.exp(own[d] - own[s]) for d in different for s in same))
    assert loss == pytest.approx(wanted, rel=1e-4)


def test_a_sample_model_has_the_spearman_that_was_recorded(data: DataSet) -> None:
    task = training_task(data, load_tokenizer(CHECKPOINT, max_length=64), max_length=64)
    found = task.evaluate(load_model(CHECKPOINT, task="embedding"), data.dev)
    recorded = json.loads((CHECKPOINT / "training.json").read_text(encoding="utf-8"))
    assert found.points / 100 == pytest.approx(recorded["dev_spearman"], abs=1e-3)
    assert task.answering().pooling == "mean"


def test_a_batch_without_paraphrases_still_ranks(data: DataSet) -> None:
    task = training_task(data, load_tokenizer(CHECKPOINT, max_length=64), max_length=64)
    graded = [
        dataclasses.replace(one, target=target)
        for one, target in zip(data.train, (0.2, 0.7), strict=False)
    ]
    loss = task.loss(load_model(CHECKPOINT, task="embedding"), task.collate(task.rows(graded)))
    assert loss.item() > 0


@pytest.mark.parametrize(
    "line",
    [
        {"sentence1": "甲", "sentence2": "乙", "label": 2},
        {"sentence1": "甲", "label": "1"},
        {"sentence1": "甲", "sentence2": "乙"},
    ],
)
def test_a_line_of_another_kind_is_refused(line: dict[str, object], tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.json").write_text(json.dumps(line) + "\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="json:1: "):
        read_dataset("embedding", tmp_path)


def test_a_model_of_vectors_is_not_compressed() -> None:
    arguments = argparse.Namespace(task=None, checkpoint=CHECKPOINT, data=DATA)
    with pytest.raises(DatasetError, match="models of embedding cannot be compressed"):
        read_data(arguments)
