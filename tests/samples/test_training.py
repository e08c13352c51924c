"""The path from data to a measured checkpoint, on a few lines."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ernie_triton.build.torch_models.checkpoints import load_model
from samples.bases import write_tiny_base
from samples.cli import main
from samples.generators.catalogue import SAMPLE_TASKS
from samples.paths import SAMPLE_VOCABULARY
from samples.recipes import TinyModel, sample_recipe
from tests.samples.real_package import write_package

TRANSFORMERS_FILES = {"config.json", "model.safetensors"}
PADDLE_FILES = {"config.json", "model_state.pdparams", "special_tokens_map.json"}
FORMATS = {
    "headlines": "transformers",
    "afqmc": "paddlenlp",
    "msra_ner": "paddlenlp",
    "cmrc2018": "paddlenlp",
    "sentence_pairs": "transformers",
    "multi_label": "transformers",
    "similarity": "paddlenlp",
    "extraction": "transformers",
    "choice": "transformers",
    "cloze": "transformers",
}


@pytest.mark.parametrize("task", FORMATS)
def test_training_runs_end_to_end_on_a_few_lines(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, output = tmp_path / "data" / task, tmp_path / "checkpoint"
    assert main(["generate", task, "--output", str(data), "--train", "40", "--dev", "8"]) == 0
    command = ["train", task, "--data", str(data), "--output", str(output)]
    command += ["--format", FORMATS[task], "--vocab", str(SAMPLE_VOCABULARY)]
    command += ["--epochs", "1", "--limit", "20"]
    capsys.readouterr()
    assert main(command) == 0
    record = json.loads(capsys.readouterr().out)
    drawn = sample_recipe(task).drawn_lines
    assert record["train_lines"] == 20 * (1 + len(drawn))
    files_of = {"transformers": TRANSFORMERS_FILES, "paddlenlp": PADDLE_FILES}
    names = {path.name for path in output.iterdir()}
    assert names >= files_of[FORMATS[task]] | {"vocab.txt", "training.json", "curve.png"}
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == ["checkpoint"]
    assert main(command) == 1
    assert "exists; name another folder" in capsys.readouterr().err
    files = ["--checkpoint", str(output), "--data", str(data / "dev.json")]
    assert main(["evaluate", task, *files]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured == {name: record[f"dev_{name}"] for name in measured}


def test_every_task_but_lessons_of_others_has_a_recipe() -> None:
    for name in SAMPLE_TASKS.keys() - {"topics", "digests"}:
        assert sample_recipe(name).schedule.given()


def test_entities_of_others_begin_with_a_base_that_knows_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(tmp_path, monkeypatch)
    assert main(["real", "--output", str(tmp_path)]) == 0
    common = ("--format", "transformers", "--limit", "20")
    words, output = tmp_path / "base", tmp_path / "checkpoint"
    data = ("--data", str(tmp_path / "words"))
    assert main(["train", "words", *data, "--output", str(words), *common]) == 0
    capsys.readouterr()
    begun = ("--data", str(tmp_path / "entities"), "--base", str(words))
    assert main(["train", "entities", *begun, "--output", str(output), *common]) == 0
    record = json.loads(capsys.readouterr().out)
    # Its own lines and as many generated ones; figures of what is held out, and of generated lines.
    assert (record["train_lines"], record["held_out_lines"], record["dev_lines"]) == (40, 3, 300)
    before, after = (
        dict(load_model(folder, task="embedding").named_parameters()) for folder in (words, output)
    )
    table = "embeddings.position_embeddings.weight"
    assert not torch.equal(before[table], after[table])
    assert torch.nn.functional.cosine_similarity(before[table], after[table]).min() > 0.9


def test_heads_begin_by_looking_at_the_neighbours_that_are_wanted(tmp_path: Path) -> None:
    model = TinyModel(hidden=64, heads=2, feed_forward=64, neighbours=((-1, 2),))
    base = write_tiny_base(model, SAMPLE_VOCABULARY, tmp_path / "base", seed=0)
    made = load_model(base, task="embedding")
    made.set_attn_implementation("eager")
    tokens = torch.arange(100, 140)[None]
    with torch.no_grad():
        before, behind = made(tokens, output_attentions=True).attentions[0][0]
    assert before.diagonal(-1).mean() > 0.3
    assert behind.diagonal(2).mean() > 0.3


def test_a_comparing_layer_begins_with_equal_queries_and_keys(tmp_path: Path) -> None:
    model = TinyModel(
        hidden=32, heads=2, feed_forward=64, comparing_layers=1, comparing_deviation=0.13
    )
    base = write_tiny_base(model, SAMPLE_VOCABULARY, tmp_path / "base", seed=0)
    made = load_model(base, task="seq_cls", labels=("a", "b"), seed=0)
    weights = {name: one.detach().numpy() for name, one in made.named_parameters()}
    layers = "ernie.encoder.layer.{}.attention.self.{}.weight"
    query, key = (weights[layers.format(0, name)] for name in ("query", "key"))
    assert np.array_equal(query, key)
    assert np.std(query) == pytest.approx(0.13, rel=0.1)
    second_query, second_key = (weights[layers.format(1, name)] for name in ("query", "key"))
    assert not np.array_equal(second_query, second_key)
