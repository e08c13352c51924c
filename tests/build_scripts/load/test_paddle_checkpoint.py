"""A checkpoint that PaddleNLP wrote answers what Paddle answered."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from build_scripts.encoder import named_arrays
from build_scripts.load.paddle_checkpoint import read_paddlenlp
from build_scripts.load.source import Source
from build_scripts.reference import model_logits
from ernie_triton.errors import CheckpointError
from tests.build_scripts.load.exports import transformers_model
from tests.build_scripts.models import (
    PADDLE_EXAMPLE,
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
    assert source.model is not None
    with np.load(PADDLE_EXAMPLE / "seq_cls_reference.npz") as reference:
        for case in range(5):
            row = reference[f"ids{case}"], reference[f"tt{case}"]
            found = model_logits(source.model, row)
            np.testing.assert_allclose(found, reference[f"y{case}_0"][0], rtol=0, atol=tolerance)


def test_the_example_gives_paddle_s_logits() -> None:
    source = read_paddlenlp(EXAMPLE)
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
    assert_gives_paddle_s_logits(read_paddlenlp(copied))


def test_weights_of_bfloat16_are_read_from_their_bits(copied: Path) -> None:
    path = copied / "model_state.pdparams"
    state = pickle.loads(path.read_bytes())
    state.pop("StructuredToParameterName@@")
    rounded = {
        name: (array.view(np.uint32) >> 16).astype(np.uint16) for name, array in state.items()
    }
    path.write_bytes(pickle.dumps(rounded, 4))
    source = read_paddlenlp(copied)
    assert source.model is not None
    for name, array in named_arrays(source.model):
        if "token_type" not in name:  # a sum of two
            assert not (array.view(np.uint32) & 0xFFFF).any()
    word = state["ernie.embeddings.word_embeddings.weight"]
    np.testing.assert_allclose(source.model.encoder.word[1:], word[1:], rtol=2**-7, atol=0)


@pytest.mark.parametrize("kind", ["ernie", "bert"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"hidden_act": "relu", "layer_norm_eps": 1e-3, "pad_token_id": 3}],
)
def test_settings_are_honoured(tmp_path: Path, kind: str, settings: dict[str, Any]) -> None:
    model = transformers_model(kind, **settings)
    source = read_paddlenlp(save_paddlenlp(model, tmp_path))
    assert source.model is not None
    rows = random_rows((9, 2, 20), types=2)
    rows.input_ids[4] = model.config.pad_token_id
    found = [model_logits(source.model, row) for row in single_rows(rows)]
    np.testing.assert_allclose(found, transformers_logits(model, rows), rtol=0, atol=1e-5)


def test_labels_of_the_configuration_are_the_source_s(tmp_path: Path) -> None:
    names = {str(index): f"类{index}" for index in range(5)}
    save_paddlenlp(transformers_model("ernie"), tmp_path, id2label=names)
    assert read_paddlenlp(tmp_path).labels == tuple(names.values())


def test_a_cased_tokenizer_is_said_so(copied: Path) -> None:
    (copied / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    assert not read_paddlenlp(copied).lower_case


def test_weights_of_another_task_are_refused(copied: Path) -> None:
    path = copied / "model_state.pdparams"
    state = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps({n: a for n, a in state.items() if "classifier" not in n}, 4))
    with pytest.raises(CheckpointError, match=r"model_state\.pdparams has no classifier\.weight"):
        read_paddlenlp(copied)
