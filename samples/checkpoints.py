"""Models on disk: written and read back in transformers' and PaddleNLP's formats."""

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from samples.errors import DataError
from samples.files import write_json
from samples.names import (
    POOLER,
    is_linear_weight,
    paddle_name_from_transformers,
    paddle_parameter_order,
    static_names_from_structured,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CheckpointFormat = Literal["transformers", "paddlenlp"]
STRUCTURED_NAMES = "StructuredToParameterName@@"
UNNAMED_LABELS = {0: "LABEL_0", 1: "LABEL_1"}
"""What both toolkits assume where a config names no labels; PaddleNLP leaves them out then."""
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


def save_model(model: "PreTrainedModel", folder: Path, format_: CheckpointFormat) -> None:
    """Write config.json and the weights of a model into an existing folder.

    PaddleNLP's file always has a pooler; for a model without one it is written as zeros.
    """
    if format_ == "transformers":
        model.save_pretrained(str(folder))
        return
    config = model.config
    size = config.hidden_size
    arrays = {
        f"{POOLER}.weight": np.zeros((size, size), np.float32),
        f"{POOLER}.bias": np.zeros(size, np.float32),
    }
    for name, tensor in model.named_parameters():
        arrays[paddle_name_from_transformers(name)] = tensor.detach().numpy()
    order = paddle_parameter_order(config.num_hidden_layers, with_task_type=config.use_task_id)
    state: dict[str, object] = {
        name: np.array(arrays[name].T if is_linear_weight(name) else arrays[name], order="C")
        for name in order
    }
    state[STRUCTURED_NAMES] = static_names_from_structured(order)
    with (folder / "model_state.pdparams").open("wb") as file:
        pickle.dump(state, file, protocol=4)
    write_json(folder / "config.json", _paddle_config(type(model).__name__, config.to_dict()))


def load_model(folder: Path, model_class: "type[PreTrainedModel]") -> "PreTrainedModel":
    """Read a model that `save_model` wrote, in evaluation mode.

    The pickle of the PaddleNLP format is trusted: read only your own.

    Raises:
        DataError: the folder holds neither format.
    """
    import torch
    from transformers import ErnieConfig

    if (folder / "model.safetensors").is_file():
        saved: PreTrainedModel = model_class.from_pretrained(str(folder), local_files_only=True)
        saved.train(mode=False)
        return saved
    if not (folder / "model_state.pdparams").is_file():
        raise DataError(f"{folder} holds neither model.safetensors nor model_state.pdparams")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shared = {key: config[key] for key in _PADDLE_SHARED_KEYS if key != "model_type"}
    if "id2label" in config:
        shared["id2label"] = {int(index): name for index, name in config["id2label"].items()}
        shared["label2id"] = config["label2id"]
    model = model_class(ErnieConfig(**shared))
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


def _paddle_config(architecture: str, config: dict[str, object]) -> dict[str, object]:
    labels = config["id2label"]
    if not isinstance(labels, dict):
        raise DataError(f"id2label is {labels!r}; expected a table of names")
    written = {
        **{key: config[key] for key in _PADDLE_SHARED_KEYS},
        "architectures": [architecture],
        "fuse": False,
        "paddlenlp_version": None,
        "pool_act": "tanh",
        "task_id": 0,
    }
    if labels != UNNAMED_LABELS:
        written["id2label"] = {str(index): name for index, name in labels.items()}
        written["label2id"] = {name: int(index) for index, name in labels.items()}
    return dict(sorted(written.items()))
