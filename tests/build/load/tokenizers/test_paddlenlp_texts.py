"""Texts of PaddleNLP's checkpoints are split at symbols, as PaddleNLP 2.8.1 splits them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from ernie_triton.build.load.tokenizers.tokenizer_files import (
    read_vocabulary,
    settings_of_rules,
    splits_symbols,
)
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.rules import TokenRules
from tests.build.models import write_vocabulary

LINES = (
    *("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "\uffe5", "\u2103", "\u00d7", "2", "##5", "5"),
    *("100", "##100", "a", "##b", "b", "\U0001f600", "\u4e2d", "\u014b", "\u00f8", "\u2461", "!"),
    "##\u00d7",
)
RECORDED = {
    "\uffe5100 25\u2103 2\u00d75!": "\uffe5 100 2 ##5 \u2103 2 \u00d7 5 !",
    "a\U0001f600\U0001f600b\u4e2d\U0001f600a": "a \U0001f600 \U0001f600 b \u4e2d \U0001f600 a",
    "a\u014ab a\u00d8b": "a \u014b b [UNK]",
    "a\u2461b \u2461": "[UNK] \u2461",
    "5\uffe5 \u00d7b": "5 \uffe5 \u00d7 b",
}
"""Tokens of PaddleNLP's `BertTokenizer`, which folds case."""
RECORDED_WITH_CASE = RECORDED | {"a\u014ab a\u00d8b": "[UNK] a [UNK] b"}


def folder_of(folder: Path, weights: str, settings: dict[str, Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    write_vocabulary(folder / "vocab.txt", LINES)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings or {}), encoding="utf-8")
    if weights.startswith("model.safetensors"):
        part = weights.rpartition(" ")[2]
        arrays = {f"ernie.layers.0.{part}.weight": np.zeros(1, np.float32)}
        save_file(arrays, folder / "model.safetensors")
    else:
        (folder / weights).touch()
    return folder


@pytest.mark.parametrize(
    ("lower_case", "recorded"), [(True, RECORDED), (False, RECORDED_WITH_CASE)]
)
def test_symbols_are_words_of_their_own(
    lower_case: bool, recorded: dict[str, str], tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "c", "model_state.pdparams")
    vocabulary = read_vocabulary(folder / "vocab.txt", folder, lower_case=lower_case)
    encoder = TextEncoder(vocabulary, max_length=64, lower_case=lower_case)
    # An unassigned code point is dropped, and sends its text the slow way.
    for text in (*recorded, *(f"{text}\u0378" for text in recorded)):
        expected = recorded[text.removesuffix("\u0378")].split()
        ids = encoder.encode([text]).input_ids.tolist()
        assert [LINES[token] for token in ids[1:-1]] == expected
        assert encoder.tokens_with_spans([text])[0].ids.tolist() == ids[1:-1]


@pytest.mark.parametrize(
    ("weights", "tokenizer", "expected"),
    [
        ("model_state.pdparams", "BertTokenizer", True),
        ("inference.pdiparams", "BertTokenizer", True),
        ("model.safetensors self_attn.q_proj", "BertTokenizer", True),
        ("model.safetensors attention.layer_norm", "AlbertTokenizer", True),
        ("model.safetensors attention.self.query", "ErnieTokenizer", False),
        ("pytorch_model.bin", "BertTokenizer", False),
        ("model.onnx", "BertTokenizer", False),
        ("model.onnx", "ErnieTokenizer", True),
    ],
)
def test_the_weights_tell_who_reads_the_texts(
    weights: str, tokenizer: str, expected: bool, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "c", weights, {"tokenizer_class": tokenizer})
    assert splits_symbols(folder) is expected


def test_a_model_trained_from_one_of_paddlenlp_keeps_its_way(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "c", "model_state.pdparams")
    rules = read_vocabulary(folder / "vocab.txt", folder).rules
    assert rules == TokenRules(splits_symbols=True)
    trained = folder_of(tmp_path / "t", "model.safetensors query", settings_of_rules(rules))
    assert read_vocabulary(trained / "vocab.txt", trained).rules == rules
