"""The embedding task: its loss by its formula, its metric on a trained model."""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
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
    batch = task.collate(task.rows(examples))
    found = task.loss(model, batch).item()
    columns = [[text_parts(one.texts[side]) for one in examples] for side in (0, 1)]
    scores = np.array([[scores_of(one, two) for two in columns[1]] for one in columns[0]])
    targets = [float(str(one.target)) for one in examples]
    wanted = [loss_of(scores[:, :, kind] / 0.05, targets) for kind in range(3)]
    assert found == pytest.approx(np.mean(wanted), rel=1e-4)
    # Without heads of tokens, the cosines alone.
    del model.sparse_linear, model.colbert_linear
    assert task.loss(model, batch).item() == pytest.approx(wanted[0], rel=1e-4)


@dataclasses.dataclass
class TextParts:
    """A text's vector, the weights of its tokens, and their vectors, one text at a time."""

    mean: npt.NDArray[np.float64]
    weights: dict[int, float]
    vectors: npt.NDArray[np.float64]


def text_parts(text: str) -> TextParts:
    model = ErnieModel.from_pretrained(str(CHECKPOINT)).train(mode=False)
    tokens = BertTokenizer.from_pretrained(str(CHECKPOINT))(text, return_tensors="pt")
    with torch.no_grad():
        states = model(**tokens)[0][0].double().numpy()
    heads = []
    for name in ("sparse_linear.pt", "colbert_linear.pt"):
        arrays = torch.load(CHECKPOINT / name, weights_only=True)
        weight, bias = (arrays[part].double().numpy() for part in ("weight", "bias"))
        heads.append(states @ weight.T + bias)
    weights: dict[int, float] = {}
    for token, [weight] in zip(tokens.input_ids[0].tolist(), heads[0].tolist(), strict=True):
        if token > 4 and weight > weights.get(token, 0.0):  # the first five are special
            weights[token] = weight
    mean, vectors = states.mean(0), heads[1][1:]
    return TextParts(
        mean=mean / np.linalg.norm(mean),
        weights=weights,
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


def scores_of(one: TextParts, two: TextParts) -> list[float]:
    """The cosine, the lexical score and the late interaction of two texts."""
    lexical = sum(weight * two.weights.get(token, 0.0) for token, weight in one.weights.items())
    return [one.mean @ two.mean, lexical, (one.vectors @ two.vectors.T).max(1).mean()]


def loss_of(scores: npt.NDArray[np.float64], targets: list[float]) -> float:
    found, own = 0.0, np.diag(scores)
    same = [index for index, target in enumerate(targets) if target == 1.0]
    different = [index for index, target in enumerate(targets) if target == 0.0]
    assert same
    assert different
    for table in (scores, scores.T):
        logs = table - np.log(np.exp(table).sum(1, keepdims=True))
        found -= np.mean([logs[index, index] for index in same])
    return float(found + np.log(1 + sum(np.exp(own[d] - own[s]) for d in different for s in same)))


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
