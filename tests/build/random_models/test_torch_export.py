"""The random classifier, its weights as a `Model` and its export give the same outputs."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import transformers

from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.random_models.torch_export import (
    export_checkpoint,
    model_from_classifier,
    random_classifier,
)
from ernie_triton.cli import main
from ernie_triton.errors import CheckpointError
from ernie_triton.model_shapes import POSITIONS, TOKEN_TYPES, VOCABULARY_SIZE, Shape
from tests.build.models import graph_logits, random_rows, single_rows, transformers_logits

SHAPE = Shape(layers=1, hidden=24, heads=3, feed_forward=40)


@pytest.fixture(scope="module")
def exported_folder(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that the command put its export beside."""
    folder = tmp_path_factory.mktemp("torch") / "copy"
    shutil.copytree(checkpoint, folder)
    assert main(["export", str(folder)]) == 0
    return folder


def test_the_seed_decides_the_weights() -> None:
    first, same, other = (random_classifier(SHAPE, labels=3, seed=seed) for seed in (1, 1, 2))
    weights = [model.classifier.weight for model in (first, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert weights[0].shape == (3, 24)


def test_our_model_of_it_answers_as_it_and_has_the_family_s_tables() -> None:
    classifier = random_classifier(SHAPE, labels=3)
    model = model_from_classifier(classifier)
    assert model.encoder.vocabulary_size == VOCABULARY_SIZE
    assert (model.encoder.max_positions, len(model.encoder.token_type)) == (POSITIONS, TOKEN_TYPES)
    batch = random_rows((9, 2), types=2)
    found = [model_outputs(model, row)["logits"] for row in single_rows(batch)]
    np.testing.assert_allclose(found, transformers_logits(classifier, batch), rtol=0, atol=1e-6)


@pytest.mark.parametrize("lengths", [(7, 7), (13,)])
def test_the_export_takes_any_number_of_texts_of_any_length(
    exported_folder: Path, lengths: tuple[int, ...]
) -> None:
    batch = random_rows(lengths, types=2)
    shape = (len(lengths), lengths[0])
    inputs = {
        "input_ids": batch.input_ids.reshape(shape).astype(np.int64),
        "token_type_ids": batch.token_type_ids.reshape(shape).astype(np.int64),
        "attention_mask": np.ones(shape, np.int64),
    }
    found = graph_logits(onnx.load(exported_folder / "exported.onnx"), inputs)
    classifier = transformers.ErnieForSequenceClassification.from_pretrained(exported_folder)
    expected = transformers_logits(classifier.train(mode=False), batch)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_the_export_is_all_that_is_written(exported_folder: Path, checkpoint: Path) -> None:
    names = {path.name for path in checkpoint.iterdir()}
    assert {path.name for path in exported_folder.iterdir()} == names | {"exported.onnx"}


def test_a_folder_that_is_no_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no sequence classifier of transformers"):
        export_checkpoint(tmp_path)
    assert not list(tmp_path.iterdir())
