"""Sequence classifiers on disk: written and read back in transformers' and PaddleNLP's formats."""

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from samples.errors import DataError
from samples.names import (
    is_linear_weight,
    paddle_name_from_transformers,
    paddle_parameter_order,
    static_names_from_structured,
)

if TYPE_CHECKING:
    from transformers import ErnieForSequenceClassification

CheckpointFormat = Literal["transformers", "paddlenlp"]
STRUCTURED_NAMES = "StructuredToParameterName@@"
SPECIAL_TOKENS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_PADDLE_SHARED_KEYS = (
    "attention_probs_dropout_prob",
    "hidden_act",
    "hidden_dropout_prob",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "task_type_vocab_size",
    "type_vocab_size",
    "use_task_id",
    "vocab_size",
)


def write_tokenizer(folder: Path, vocab: Path, format_: CheckpointFormat) -> None:
    """Write vocab.txt and the tokenizer's settings into a folder, made if missing.

    Raises:
        DataError: the vocabulary file is missing.
    """
    if not vocab.is_file():
        raise DataError(f"{vocab} is missing; make it with `python -m samples vocabulary`")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_bytes(vocab.read_bytes())
    kind = "BertTokenizer" if format_ == "transformers" else "ErnieTokenizer"
    settings = {"do_lower_case": True, **SPECIAL_TOKENS, "tokenizer_class": kind}
    write_json(folder / "tokenizer_config.json", settings)
    if format_ == "paddlenlp":
        write_json(folder / "special_tokens_map.json", SPECIAL_TOKENS)


def save_model(
    model: "ErnieForSequenceClassification", folder: Path, format_: CheckpointFormat
) -> None:
    """Write config.json and the weights of a classifier into an existing folder."""
    if format_ == "transformers":
        model.save_pretrained(str(folder))
        return
    config = model.config
    arrays = {
        paddle_name_from_transformers(name): tensor.detach().numpy()
        for name, tensor in model.named_parameters()
    }
    order = paddle_parameter_order(config.num_hidden_layers, with_task_type=config.use_task_id)
    state: dict[str, object] = {
        name: np.array(arrays[name].T if is_linear_weight(name) else arrays[name], order="C")
        for name in order
    }
    state[STRUCTURED_NAMES] = static_names_from_structured(order)
    with (folder / "model_state.pdparams").open("wb") as file:
        pickle.dump(state, file, protocol=4)
    write_json(folder / "config.json", _paddle_config(config.to_dict()))


def load_model(folder: Path) -> "ErnieForSequenceClassification":
    """Read a classifier that `save_model` wrote, in evaluation mode.

    The pickle of the PaddleNLP format is trusted: read only your own.

    Raises:
        DataError: the folder holds neither format.
    """
    import torch
    from transformers import ErnieConfig, ErnieForSequenceClassification

    if (folder / "model.safetensors").is_file():
        saved: ErnieForSequenceClassification = ErnieForSequenceClassification.from_pretrained(
            str(folder), local_files_only=True
        )
        saved.train(mode=False)
        return saved
    if not (folder / "model_state.pdparams").is_file():
        raise DataError(f"{folder} holds neither model.safetensors nor model_state.pdparams")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shared = {key: config[key] for key in _PADDLE_SHARED_KEYS if key != "model_type"}
    labels = {int(index): name for index, name in config["id2label"].items()}
    model = ErnieForSequenceClassification(
        ErnieConfig(**shared, id2label=labels, label2id=config["label2id"])
    )
    with (folder / "model_state.pdparams").open("rb") as file:
        state = pickle.load(file)
    tensors = {}
    for name, _ in model.named_parameters():
        paddle_name = paddle_name_from_transformers(name)
        array = state[paddle_name]
        tensors[name] = torch.tensor(array.T if is_linear_weight(paddle_name) else array)
    model.load_state_dict(tensors)
    model.train(mode=False)
    return model


def _paddle_config(config: dict[str, object]) -> dict[str, object]:
    labels = config["id2label"]
    if not isinstance(labels, dict):
        raise DataError(f"id2label is {labels!r}; expected a table of names")
    written = {
        **{key: config[key] for key in _PADDLE_SHARED_KEYS},
        "architectures": ["ErnieForSequenceClassification"],
        "fuse": False,
        "id2label": {str(index): name for index, name in labels.items()},
        "label2id": {name: int(index) for index, name in labels.items()},
        "paddlenlp_version": None,
        "pool_act": "tanh",
        "task_id": 0,
    }
    return dict(sorted(written.items()))


def write_json(path: Path, record: dict[str, object] | dict[str, str]) -> None:
    """Write an indented JSON file, UTF-8, characters as they are."""
    text = json.dumps(record, ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
