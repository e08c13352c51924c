"""Folders of ERNIE-M with random weights, as PaddleNLP and transformers save them.

The weights come from seeds, so that the frameworks' answers can be recorded elsewhere.
"""

import json
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from ernie_triton.arrays import Float32
from ernie_triton.build.load.pieces.sentencepiece_model import read_unigram
from tests.paths import FIXTURES

MODEL = FIXTURES / "sentencepiece/sentencepiece.bpe.model"
HIDDEN, LAYERS, POSITIONS = 16, 2, 514
HEADS = {
    "sequence": ("ErnieMForSequenceClassification", {"classifier": 3}),
    "token": ("ErnieMForTokenClassification", {"classifier": 5}),
    "span": ("ErnieMForQuestionAnswering", {"classifier": 2}),
    "choice": ("ErnieMForMultipleChoice", {"classifier": 1}),
    "vector": ("ErnieMModel", {}),
    "pointer": ("UIEM", {"linear_start": 1, "linear_end": 1}),
}
"""The class of each head in PaddleNLP, and the outputs of its layers."""
PORTED = {
    "span": {"classifier": "qa_outputs"},
    "pointer": {},
}
PAIRS = (
    ("北京的涮肉", "重庆的火锅，成都的小吃都是极具特色的美食。"),
    ("时间", "2023年9月1日，央行宣布下调存款准备金率0.5个百分点"),
    ("情感倾向[正向,负向]", "这家店的服务很好 iPhone 15 Pro，１２３"),
)
"""Texts in pairs, the first of each also as a prompt."""


def tokens() -> list[str]:
    """The lines of the `vocab.txt`: special tokens, pieces, and characters of these."""
    pieces = [piece.piece for piece in read_unigram(MODEL).pieces][3:]
    characters = sorted({character for piece in pieces for character in piece})
    words = [piece for piece in pieces if len(piece) < 3 or piece.isascii()]
    names = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", *words, *characters, "12", "▁12", "2023", "[MASK]"]
    return list(dict.fromkeys(names))


def tokenizer_folder(folder: Path, **settings: Any) -> Path:
    """A folder with the tokenizer's files alone."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(MODEL, folder)
    lines = "".join(f"{token}\n" for token in tokens())
    (folder / "vocab.txt").write_text(lines, encoding="utf-8", newline="\n")
    written = {"tokenizer_class": "ErnieMTokenizer", "do_lower_case": False, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(written), encoding="utf-8")
    return folder


def weights(head: str) -> dict[str, Float32]:
    """The arrays of a model by PaddleNLP's names; those of a linear layer are [inputs, outputs]."""
    random = np.random.default_rng(20)

    def normal(*shape: int) -> Float32:
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    def linear(name: str, inputs: int, outputs: int) -> dict[str, Float32]:
        return {f"{name}.weight": normal(inputs, outputs), f"{name}.bias": normal(outputs)}

    def norm(name: str) -> dict[str, Float32]:
        return {f"{name}.weight": 1 + normal(HIDDEN), f"{name}.bias": normal(HIDDEN)}

    state = {
        "embeddings.word_embeddings.weight": normal(len(tokens()), HIDDEN),
        "embeddings.position_embeddings.weight": normal(POSITIONS, HIDDEN),
        **norm("embeddings.layer_norm"),
        **linear("pooler.dense", HIDDEN, HIDDEN),
    }
    for layer in range(LAYERS):
        name = f"encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            state |= linear(f"{name}.self_attn.{part}", HIDDEN, HIDDEN)
        state |= linear(f"{name}.linear1", HIDDEN, 4 * HIDDEN)
        state |= linear(f"{name}.linear2", 4 * HIDDEN, HIDDEN)
        state |= norm(f"{name}.norm1") | norm(f"{name}.norm2")
    outputs = HEADS[head][1]
    base = "" if head == "vector" else "ernie_m."
    state = {f"{base}{part}": array for part, array in state.items()}
    for name, count in outputs.items():
        state |= linear(name, HIDDEN, count)
    return state


def paddle_folder(folder: Path, head: str, **settings: Any) -> Path:
    """A checkpoint as PaddleNLP 2.8.1 saves it."""
    tokenizer_folder(folder)
    (folder / "config.json").write_text(json.dumps(_config(head, settings)), encoding="utf-8")
    with (folder / "model_state.pdparams").open("wb") as file:
        pickle.dump(weights(head), file, protocol=2)
    return folder


def port_folder(folder: Path, head: str, **settings: Any) -> Path:
    """A checkpoint as transformers 4.40 saves it."""
    tokenizer_folder(folder)
    config = {**_config(head, settings), "transformers_version": "4.40.2"}
    if head == "pointer":
        config["architectures"] = ["ErnieMForInformationExtraction"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    arrays = _ported(weights(head), PORTED.get(head, {}))
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _config(head: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    classes, outputs = HEADS[head]
    labels = outputs.get("classifier", 2)
    return {
        "model_type": "ernie_m",
        "architectures": [classes],
        "hidden_size": HIDDEN,
        "num_attention_heads": 2,
        "num_hidden_layers": LAYERS,
        "intermediate_size": 4 * HIDDEN,
        "hidden_act": "gelu",
        "max_position_embeddings": POSITIONS,
        "vocab_size": len(tokens()),
        "pad_token_id": 1,
        "id2label": {str(label): f"LABEL_{label}" for label in range(labels)},
        **settings,
    }


def _ported(state: Mapping[str, Float32], renamed: Mapping[str, str]) -> dict[str, Float32]:
    found = {}
    for name, array in state.items():
        new = name
        for part in ("q_proj", "k_proj", "v_proj"):
            new = new.replace(f"self_attn.{part}", f"self_attn.self_attn.{part}")
        for old, other in renamed.items():
            new = new.replace(old, other)
        is_linear = array.ndim == 2 and "embeddings" not in name
        found[new] = np.ascontiguousarray(array.T if is_linear else array)
    return found
