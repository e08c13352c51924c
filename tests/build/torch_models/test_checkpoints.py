"""Loaded models give their checkpoints' outputs; saved models read back unchanged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from ernie_triton.build.check.reference import model_outputs, reference_for
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer, save_model
from ernie_triton.build.torch_models.layer_widths import LayerWidth, resize_layers, widths_of
from ernie_triton.errors import CheckpointError, VocabularyError
from ernie_triton.tasks import TASKS
from tests.build.load.exports import transformers_model
from tests.build.models import (
    assert_row_equal,
    expected_outputs,
    random_rows,
    save_paddlenlp,
    save_transformers,
    single_rows,
    transformers_logits,
)
from tests.paths import SAMPLES
from tests.training.compression.teachers import loaded
from tests.training.tiny import write_base

HEADS = {"seq_cls": "sequence", "token_cls": "token", "qa": "span", "embedding": "vector"}
ROWS = random_rows((9, 2, 20), types=2)
NARROW = (LayerWidth(heads=2, feed_forward=16), LayerWidth(heads=1, feed_forward=24))


def formulas_of(folder: Path, task: str, rows: Any = ROWS) -> list[Any]:
    """Compute the outputs of a checkpoint without torch."""
    source = read_source(folder, WantedHead(head=TASKS[task].head))
    return [model_outputs(source.model, row) for row in single_rows(rows)]  # type: ignore[arg-type]


def narrowed(task: str = "seq_cls", kind: str = "ernie") -> Any:
    """A model whose layers have different widths, all below those of its configuration."""
    model = transformers_model(kind, head=HEADS[task])
    resize_layers(model, NARROW)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3, generator=generator)
    return model


@pytest.mark.parametrize("task", HEADS)
@pytest.mark.parametrize("kind", ["ernie", "bert", "roberta"])
@pytest.mark.parametrize("save", [save_transformers, save_paddlenlp])
def test_a_model_answers_as_its_checkpoint(tmp_path: Path, save: Any, kind: str, task: str) -> None:
    if kind == "roberta" and save is save_paddlenlp:
        kind = "bert"  # PaddleNLP's RoBERTa has BERT's names
    source = transformers_model(kind, head=HEADS[task])
    save(source, tmp_path)
    rows = random_rows((9, 2, 20), types=source.config.type_vocab_size)
    model = loaded(tmp_path, task=task)
    assert not model.training
    for found, expected in zip(
        expected_outputs(model, rows), formulas_of(tmp_path, task, rows), strict=True
    ):
        assert_row_equal(found, expected)


def test_the_task_type_that_paddlenlp_adds_is_part_of_the_model(tmp_path: Path) -> None:
    save_paddlenlp(transformers_model("ernie"), tmp_path, task_id=2)
    found = transformers_logits(loaded(tmp_path, task="seq_cls"), ROWS)
    expected = [row["logits"] for row in formulas_of(tmp_path, "seq_cls")]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    save_paddlenlp(transformers_model("ernie"), tmp_path, task_id=0)
    other = [row["logits"] for row in formulas_of(tmp_path, "seq_cls")]
    assert np.abs(np.array(other) - np.array(expected)).max() > 1e-3


def test_a_pooler_without_activation_stays_without(tmp_path: Path) -> None:
    save_paddlenlp(transformers_model("bert"), tmp_path / "a", pool_act="relu_not_tanh")
    model = loaded(tmp_path / "a", task="seq_cls")
    expected = [row["logits"] for row in formulas_of(tmp_path / "a", "seq_cls")]
    np.testing.assert_allclose(transformers_logits(model, ROWS), expected, rtol=0, atol=1e-5)
    save_model(model, tmp_path / "b", tokenizer_from=tmp_path / "a")
    again = [row["logits"] for row in formulas_of(tmp_path / "b", "seq_cls")]
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-5)


def test_a_pretrained_encoder_gets_a_new_head_from_the_seed(tmp_path: Path) -> None:
    encoder = transformers_model("ernie", head="vector")
    save_transformers(encoder, tmp_path)
    state = torch.random.get_rng_state()
    first, again, other = (
        loaded(tmp_path, task="seq_cls", labels=("a", "b", "c"), seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first.config.id2label == {0: "a", 1: "b", 2: "c"}
    assert first.config.problem_type == "single_label_classification"
    assert torch.equal(first.classifier.weight, again.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)
    for found, expected in zip(
        expected_outputs(first.base_model, ROWS, "pooler"),
        expected_outputs(encoder, ROWS, "pooler"),
        strict=True,
    ):
        assert_row_equal(found, expected)


@pytest.mark.parametrize("task", ["token_cls", "qa", "multi_label"])
def test_a_model_of_another_task_gives_its_encoder(tmp_path: Path, task: str) -> None:
    source = transformers_model("bert", head="token" if task == "qa" else "span")
    save_transformers(source, tmp_path)
    model = loaded(tmp_path, task=task, labels=("O", "B-X"))
    ours, theirs = model.base_model.encoder, source.base_model.encoder
    assert all(
        torch.equal(one, other)
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True)
    )
    with pytest.raises(CheckpointError, match="is a model of"):
        loaded(tmp_path, task=task)


def test_a_head_is_kept_for_its_own_labels_alone(tmp_path: Path) -> None:
    source = transformers_model("ernie", num_labels=2, id2label={0: "a", 1: "b"})
    save_transformers(source, tmp_path)
    kept = loaded(tmp_path, task="seq_cls", labels=("a", "b"))
    assert torch.equal(kept.classifier.weight, source.classifier.weight)
    for labels in (("b", "a"), ("a", "b", "c")):
        new = loaded(tmp_path, task="seq_cls", labels=labels)
        assert tuple(new.config.id2label.values()) == labels
        assert not torch.equal(new.classifier.weight[:2], source.classifier.weight)


def test_a_configuration_alone_gives_random_weights(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", hidden_dropout_prob=0.3)
    model = loaded(base, task="token_cls", labels=("O", "B-X"), seed=5)
    assert widths_of(model) == (LayerWidth(heads=2, feed_forward=48),) * 2
    assert model.config.hidden_dropout_prob == 0.3
    assert model.classifier.out_features == 2
    again = loaded(base, task="token_cls", labels=("O", "B-X"), seed=5)
    assert all(
        torch.equal(one, other)
        for one, other in zip(model.parameters(), again.parameters(), strict=True)
    )
    with pytest.raises(CheckpointError, match="names no labels"):
        loaded(base, task="seq_cls")
    with pytest.raises(CheckpointError, match="vocab_size is None"):
        loaded(write_base(tmp_path / "b", vocab_size=None), task="qa")


@pytest.mark.parametrize("task", HEADS)
@pytest.mark.parametrize("kind", ["ernie", "bert"])
def test_layers_of_any_width_are_written_and_read_back(
    tmp_path: Path, kind: str, task: str
) -> None:
    model = narrowed(task, kind)
    source = save_transformers(transformers_model(kind), tmp_path / "source")
    folder = tmp_path / "narrow"
    save_model(model, folder, tokenizer_from=source)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["narrow", "source"]
    again = loaded(folder, task=task)
    assert widths_of(again) == NARROW
    expected = expected_outputs(model, ROWS)
    reference = reference_for(read_source(folder, WantedHead(head=TASKS[task].head)), TASKS[task])
    assert reference.name.startswith("transformers ")
    for row, ours, formulas, answer in zip(
        single_rows(ROWS),
        expected_outputs(again, ROWS),
        formulas_of(folder, task),
        expected,
        strict=True,
    ):
        assert_row_equal(ours, answer)
        assert_row_equal(formulas, answer)
        assert_row_equal(dict(reference.outputs(row)), answer)


def test_an_unpruned_checkpoint_is_read_by_transformers_itself(tmp_path: Path) -> None:
    source = save_transformers(transformers_model("ernie"), tmp_path / "source")
    save_model(loaded(source, task="seq_cls"), tmp_path / "out", tokenizer_from=source)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    expected = [row["logits"] for row in formulas_of(source, "seq_cls")]
    np.testing.assert_allclose(transformers_logits(model, ROWS), expected, rtol=0, atol=1e-5)


def test_the_tokenizer_goes_along_with_what_it_was_told(tmp_path: Path) -> None:
    source = save_transformers(transformers_model("ernie"), tmp_path / "source")
    told = {"do_lower_case": False, "tokenizer_class": "ErnieTokenizer"}
    (source / "tokenizer_config.json").write_text(json.dumps(told))
    model = loaded(source, task="seq_cls")
    save_model(model, tmp_path / "out", tokenizer_from=source, more_files={"a.json": b"{}\n"})
    assert (tmp_path / "out/vocab.txt").read_bytes() == (source / "vocab.txt").read_bytes()
    assert read_source(tmp_path / "out").lower_case is False
    assert (tmp_path / "out/a.json").read_bytes() == b"{}\n"


def test_nothing_is_written_over_or_left_half(tmp_path: Path) -> None:
    source = save_transformers(transformers_model("ernie"), tmp_path / "source")
    model = loaded(source, task="seq_cls")
    with pytest.raises(CheckpointError, match="source exists; name another folder"):
        save_model(model, source, tokenizer_from=source)
    (source / "vocab.txt").unlink()
    with pytest.raises(CheckpointError, match=r"has no vocab\.txt"):
        save_model(model, tmp_path / "out", tokenizer_from=source)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CheckpointError, match="found 1 widths for a model of 2 layers"):
        resize_layers(transformers_model("bert"), NARROW[:1])
    with pytest.raises(CheckpointError, match="heads is 0; expected at least 1"):
        LayerWidth(heads=0, feed_forward=8)


def test_a_model_says_which_problem_it_is_for(tmp_path: Path) -> None:
    save_transformers(transformers_model("ernie", problem_type="regression"), tmp_path)
    with pytest.raises(CheckpointError, match="problem_type 'regression'"):
        loaded(tmp_path, task="seq_cls")


def test_the_tokenizer_is_the_one_that_serves(tmp_path: Path) -> None:
    base = write_base(tmp_path)
    lines = (base / "vocab.txt").read_text(encoding="utf-8").splitlines()
    rows = load_tokenizer(base, max_length=16).encode(["中国"])
    assert [lines[index] for index in rows.input_ids] == ["[CLS]", "中", "国", "[SEP]"]
    with pytest.raises(CheckpointError, match="positions for 160 tokens; found max_length 161"):
        load_tokenizer(base, max_length=161)
    (base / "vocab.txt").write_text("[PAD]\n", encoding="utf-8")
    with pytest.raises(VocabularyError, match="but no"):
        load_tokenizer(base, max_length=16)
    (base / "vocab.txt").unlink()
    with pytest.raises(CheckpointError, match=r"has no vocab\.txt"):
        load_tokenizer(base, max_length=16)


def test_heads_of_tokens_are_written_beside_the_weights_and_read_back(tmp_path: Path) -> None:
    folder = SAMPLES / "checkpoints" / "sentence_pairs"
    model = load_model(folder, task="embedding")
    with torch.no_grad():
        model.sparse_linear.bias += 1.0
    save_model(model, tmp_path / "saved", tokenizer_from=folder)
    assert not any("linear." in name for name in load_file(tmp_path / "saved/model.safetensors"))
    again = load_model(tmp_path / "saved", task="embedding").state_dict()
    for name, expected in model.state_dict().items():
        assert torch.equal(again[name], expected), name
    assert {"sparse_linear.weight", "colbert_linear.weight"} <= set(again)
