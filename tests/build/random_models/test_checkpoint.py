"""Random checkpoints have ERNIE 3.0's shape; transformers and the build load them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import load_file

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.sample_texts import SAMPLE_TEXTS
from ernie_triton.build.random_models.checkpoint import RandomModel, write_random_checkpoint
from ernie_triton.errors import CheckpointError
from ernie_triton.model_shapes import FAMILY, VOCABULARY_SIZE, Shape
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.commands import Run

SHAPE = Shape(layers=2, hidden=48, heads=4, feed_forward=96)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random") / "checkpoint"
    write_random_checkpoint(RandomModel(shape=SHAPE, labels=15), folder)
    return folder


def test_transformers_loads_every_array_and_texts_get_different_decisions(written: Path) -> None:
    loaded: Any = transformers.ErnieForSequenceClassification.from_pretrained(
        written, output_loading_info=True
    )
    model, report = loaded
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.config.num_hidden_layers == 2
    encoder = TextEncoder(load_vocabulary(written / "vocab.txt"), max_length=128, lower_case=True)
    rows = encoder.encode(SAMPLE_TEXTS.read_text(encoding="utf-8").splitlines())
    batch = TokenBatch(
        input_ids=rows.input_ids, token_type_ids=rows.token_type_ids, lengths=rows.lengths
    )
    padded = {
        name: torch.from_numpy(values).long() for name, values in batch.padded(0, 128).items()
    }
    with torch.no_grad():
        logits = model.train(mode=False)(**padded).logits
    assert float(logits.abs().max()) < 10
    decisions = logits.argmax(dim=1).tolist()
    assert len(set(decisions)) >= 4
    assert max(map(decisions.count, decisions)) <= 0.75 * len(decisions)


def test_transformers_loads_a_token_classifier(tmp_path: Path) -> None:
    wanted = RandomModel(shape=SHAPE, labels=5, task="token_cls")
    write_random_checkpoint(wanted, tmp_path / "tagger")
    loaded: Any = transformers.ErnieForTokenClassification.from_pretrained(
        tmp_path / "tagger", output_loading_info=True
    )
    model, report = loaded
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert [*model.config.id2label.values()] == ["O", "B-T0", "I-T0", "B-T1", "I-T1"]
    ids = torch.randint(5, 20_000, (64, 24), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        decisions = model.train(mode=False)(ids).logits.argmax(dim=-1)
    assert 0.02 < float((decisions != 0).float().mean()) < 0.5


def test_the_seed_decides_the_weights(written: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        wanted = RandomModel(shape=SHAPE, labels=15, seed=seed)
        write_random_checkpoint(wanted, tmp_path / str(seed))
    first, same, other = (
        load_file(folder / "model.safetensors")
        for folder in (written, tmp_path / "0", tmp_path / "1")
    )
    assert all(np.array_equal(first[name], same[name]) for name in first)
    name = "ernie.encoder.layer.1.output.dense.weight"
    assert not np.array_equal(first[name], other[name])


def test_every_character_of_the_sample_texts_is_a_token(written: Path) -> None:
    vocabulary = load_vocabulary(written / "vocab.txt")
    assert vocabulary.size == len(vocabulary.ids) == VOCABULARY_SIZE
    assert vocabulary.ids["[PAD]"] == 0
    characters = set(
        re.findall(r"[!-~一-龥，。？！、：“”]", SAMPLE_TEXTS.read_text("utf-8").lower())
    )
    assert len(characters) > 200
    assert characters <= vocabulary.ids.keys()


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("bf16", 2e-2)])
def test_the_build_takes_it_as_any_other(
    run: Run, written: Path, tmp_path: Path, precision: str, tolerance: float
) -> None:
    options = ("--task", "seq_cls", "--repository", tmp_path, "--precision", precision)
    done = run("build", "--checkpoint", written, *options)
    assert done.code == 0, done.stderr
    manifest = json.loads((tmp_path / "ernie_seqcls/1/manifest.json").read_text(encoding="utf-8"))
    assert manifest["exactness"]["largest_difference"] <= tolerance
    assert manifest["model"]["labels"] == [f"class_{index}" for index in range(15)]


def test_the_command_takes_a_shape_with_other_sizes_and_prints_the_folder(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    sizes = ("--shape", "nano", "--layers", 1, "--hidden", 24, "--labels", 3)
    done = run("random", *sizes, "--output", folder)
    assert (done.code, done.stdout) == (0, f"{folder}\n")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["num_hidden_layers"] == 1
    assert (config["hidden_size"], config["intermediate_size"]) == (24, 96)
    assert config["num_attention_heads"] == FAMILY["nano"].heads
    assert len(config["id2label"]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--hidden", "50"), "hidden is 50, which 12 heads do not divide"),
        (("--layers", "-1"), "layers is -1"),
        (("--labels", "1"), "labels is 1, which means a regression"),
    ],
)
def test_impossible_sizes_are_refused_in_one_line(
    run: Run, tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    done = run("random", *options, "--output", tmp_path / "made")
    assert done.code == 1
    assert done.stderr.startswith("error: ")
    assert reason in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_alone(run: Run, tmp_path: Path) -> None:
    done = run("random", "--output", tmp_path)
    assert (done.code, list(tmp_path.iterdir())) == (1, [])
    with pytest.raises(CheckpointError, match="exists; name another folder"):
        write_random_checkpoint(RandomModel(shape=SHAPE, labels=3), tmp_path)
