"""A checkpoint of PaddleNLP gives the same outputs as Paddle."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.heads import SequenceHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError
from tests.build.load.exports import transformers_model
from tests.build.models import (
    PADDLE_EXAMPLE,
    assert_row_equal,
    expected_outputs,
    random_rows,
    save_paddlenlp,
    single_rows,
    transformers_logits,
)

EXAMPLE = PADDLE_EXAMPLE / "seq_cls_checkpoint"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "checkpoint"))


def assert_gives_paddle_s_logits(source: Source, tolerance: float = 1e-5) -> None:
    assert isinstance(source.model, Model)
    with np.load(PADDLE_EXAMPLE / "seq_cls_reference.npz") as reference:
        for case in range(5):
            row = reference[f"ids{case}"], reference[f"tt{case}"]
            found = model_outputs(source.model, row)["logits"]
            np.testing.assert_allclose(found, reference[f"y{case}_0"][0], rtol=0, atol=tolerance)


def test_the_example_gives_paddle_s_logits() -> None:
    source = read_source(EXAMPLE, WantedHead())
    assert_gives_paddle_s_logits(source)
    assert source.kind == "PaddleNLP checkpoint (model_state.pdparams)"
    assert (source.graph, source.unrecognised, source.labels) == (None, "", None)
    assert (source.path, source.vocabulary) == (EXAMPLE, EXAMPLE / "vocab.txt")
    assert source.lower_case


def test_the_old_configuration_file_gives_the_same_model(copied: Path) -> None:
    values = json.loads((copied / "config.json").read_text(encoding="utf-8"))
    (copied / "config.json").unlink()
    inner = {name: values[name] for name in values if not name.startswith(("id2", "label2"))}
    outer = {
        "init_args": [{**inner, "init_class": "ErnieModel"}],
        "num_classes": 15,
        "init_class": "ErnieForSequenceClassification",
    }
    (copied / "model_config.json").write_text(json.dumps(outer), encoding="utf-8")
    assert_gives_paddle_s_logits(read_source(copied, WantedHead()))


def test_weights_of_bfloat16_are_read_from_their_bits(copied: Path) -> None:
    path = copied / "model_state.pdparams"
    state = pickle.loads(path.read_bytes())
    state.pop("StructuredToParameterName@@")
    rounded = {
        name: (array.view(np.uint32) >> 16).astype(np.uint16) for name, array in state.items()
    }
    path.write_bytes(pickle.dumps(rounded, 4))
    source = read_source(copied, WantedHead())
    assert isinstance(source.model, Model)
    for name, array in named_arrays(source.model):
        if "token_type" not in name:  # a sum of two
            assert not (array.view(np.uint32) & 0xFFFF).any()
    word = state["ernie.embeddings.word_embeddings.weight"]
    np.testing.assert_allclose(source.model.encoder.word[1:], word[1:], rtol=2**-7, atol=0)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("ernie", {}),
        ("ernie", {"hidden_act": "relu", "pad_token_id": 3}),
        ("bert", {"hidden_act": "relu", "layer_norm_eps": 1e-3, "pad_token_id": 3}),
    ],
)
def test_settings_are_honoured(tmp_path: Path, kind: str, settings: dict[str, Any]) -> None:
    model = transformers_model(kind, **settings)
    source = read_source(save_paddlenlp(model, tmp_path), WantedHead())
    assert isinstance(source.model, Model)
    rows = random_rows((9, 2, 20), types=2)
    rows.input_ids[4] = model.config.pad_token_id
    found = [model_outputs(source.model, row)["logits"] for row in single_rows(rows)]
    np.testing.assert_allclose(found, transformers_logits(model, rows), rtol=0, atol=1e-5)


def test_labels_of_the_configuration_are_the_source_s(tmp_path: Path) -> None:
    names = {str(index): f"类{index}" for index in range(5)}
    save_paddlenlp(transformers_model("ernie"), tmp_path, id2label=names)
    assert read_source(tmp_path, WantedHead()).labels == tuple(names.values())


def test_a_cased_tokenizer_is_said_so(copied: Path) -> None:
    (copied / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    assert not read_source(copied, WantedHead()).lower_case


def test_weights_of_another_task_are_refused(copied: Path) -> None:
    path = copied / "model_state.pdparams"
    state = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps({n: a for n, a in state.items() if "classifier" not in n}, 4))
    with pytest.raises(CheckpointError, match=r"model_state\.pdparams has no classifier\.weight"):
        read_source(copied, WantedHead())


@pytest.mark.parametrize(
    ("task", "outputs"), [("token_cls", ["logits"]), ("qa", ["start_logits", "end_logits"])]
)
def test_the_examples_of_other_tasks_give_paddle_s_outputs(task: str, outputs: list[str]) -> None:
    model = read_source(PADDLE_EXAMPLE / f"{task}_checkpoint", WantedHead()).model
    assert isinstance(model, Model)
    with np.load(PADDLE_EXAMPLE / f"{task}_reference.npz") as reference:
        for case in range(5):
            found = model_outputs(model, (reference[f"ids{case}"], reference[f"tt{case}"]))
            assert list(found) == outputs
            for place, values in enumerate(found.values()):
                expected = reference[f"y{case}_{place}"][0]
                np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["ernie", "bert"])
@pytest.mark.parametrize(
    ("head", "pooling"),
    [("token", ""), ("span", ""), ("vector", "cls"), ("vector", "mean"), ("vector", "pooler")],
)
def test_each_head_is_read(tmp_path: Path, kind: str, head: str, pooling: str) -> None:
    source = transformers_model(kind, head=head)
    folder = save_paddlenlp(source, tmp_path)
    model = read_source(folder, WantedHead(pooling=pooling or "cls")).model
    assert isinstance(model, Model)
    rows = random_rows((9, 2, 20), types=2)
    for row, answer in zip(single_rows(rows), expected_outputs(source, rows, pooling), strict=True):
        assert_row_equal(model_outputs(model, row), answer)


def test_vectors_of_the_example_s_classifier_are_its_encoder_s() -> None:
    wanted = WantedHead(head="vector", pooling="pooler")
    vectors = read_source(EXAMPLE, wanted).model
    classifier = read_source(EXAMPLE, WantedHead()).model
    assert isinstance(vectors, Model)
    assert isinstance(classifier, Model)
    assert isinstance(classifier.head, SequenceHead)
    row = single_rows(random_rows((9,)))[0]
    output = classifier.head.output
    logits = model_outputs(vectors, row)["vector"] @ output.weight + output.bias
    expected = model_outputs(classifier, row)["logits"]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("example", "wanted", "named", "asked"),
    [
        ("qa", "token", "qa", "token_cls"),
        ("qa", "sequence", "qa", "seq_cls or multi_label or regression or rerank"),
        ("token_cls", "span", "token_cls", "qa"),
        ("seq_cls", "span", "seq_cls or multi_label or regression or rerank", "qa"),
    ],
)
def test_another_task_is_refused_in_one_line_that_names_both(
    example: str, wanted: str, named: str, asked: str
) -> None:
    folder = PADDLE_EXAMPLE / f"{example}_checkpoint"
    with pytest.raises(CheckpointError) as caught:
        read_source(folder, WantedHead(head=wanted))
    assert str(caught.value) == (
        f"{folder / 'model_state.pdparams'} is a model of {named}, as its configuration says; "
        f"found --task of {asked}"
    )


def test_one_label_is_regression_and_any_other_problem_has_to_be_said(tmp_path: Path) -> None:
    for labels, problem in ((1, "regression"), (3, "")):
        folder = save_paddlenlp(transformers_model("ernie", num_labels=labels), tmp_path)
        assert read_source(folder, WantedHead()).problem == problem
