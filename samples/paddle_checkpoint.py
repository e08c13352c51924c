"""Write a checkpoint as PaddleNLP does, from any checkpoint of an ERNIE.

Only names and bookkeeping differ from transformers' format. PaddleNLP stores linear weights
[inputs, outputs], as the build's own model has them.
"""

import json
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ernie_triton.build.load import read_source
from ernie_triton.build.load.families import HEADS_BY_ARCHITECTURE
from ernie_triton.build.load.settings import config_values
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.load.weights import PADDLENLP
from ernie_triton.build.model.encoder import Linear, Norm
from ernie_triton.build.model.heads import SequenceHead, SpanHead, TokenHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import task_named

_STRUCTURED_NAMES = "StructuredToParameterName@@"
_ASSUMED_LABELS = {"0": "LABEL_0", "1": "LABEL_1"}
"""The labels of a config without any; PaddleNLP leaves them out then."""
_CONFIG_KEYS = (
    *("attention_probs_dropout_prob", "hidden_act", "hidden_dropout_prob", "hidden_size"),
    *("initializer_range", "intermediate_size", "layer_norm_eps", "max_position_embeddings"),
    *("model_type", "num_attention_heads", "num_hidden_layers", "pad_token_id"),
    *("type_vocab_size", "vocab_size"),
)

_State = dict[str, npt.NDArray[np.float32]]


def write_paddle_checkpoint(source: Path, folder: Path, *, task: str, half: bool = False) -> None:
    """Write `config.json`, `model_state.pdparams`, `vocab.txt` and the tokenizer's files.

    PaddleNLP's file always has a pooler; that of a model without one is written as zeros.

    Args:
        source: a transformers checkpoint.
        folder: to make.
        task: of `ernie_triton.tasks`.
        half: store the weights in FP16, as PaddleNLP does with `dtype="float16"`.

    Raises:
        CheckpointError: the source is no such checkpoint.
    """
    head = task_named(task).head
    model = read_source(source, WantedHead(head=head)).model
    if not isinstance(model, Model):
        raise CheckpointError(f"{source} holds no weights; expected a transformers checkpoint")
    folder.mkdir(parents=True, exist_ok=True)
    arrays, kind = _paddle_state(model), np.float16 if half else np.float32
    state: dict[str, object] = {
        name: np.array(array, dtype=kind, order="C") for name, array in arrays.items()
    }
    state[_STRUCTURED_NAMES] = _static_names(list(arrays))
    with (folder / "model_state.pdparams").open("wb") as file:
        pickle.dump(state, file, protocol=4)
    ending = next(ending for ending, name in HEADS_BY_ARCHITECTURE.items() if name == head)
    _write_json(folder / "config.json", _paddle_config(config_values(source), f"Ernie{ending}"))
    shutil.copyfile(source / "vocab.txt", folder / "vocab.txt")
    settings = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "ErnieTokenizer"
    _write_json(folder / "tokenizer_config.json", settings)
    special = {name: value for name, value in settings.items() if name.endswith("_token")}
    _write_json(folder / "special_tokens_map.json", special)


def _paddle_state(model: Model) -> _State:
    """Name the weights as PaddleNLP does, in the order of its file."""
    encoder, names = model.encoder, PADDLENLP
    state: _State = {
        f"ernie.embeddings.{name}_embeddings.weight": table
        for name, table in (
            ("word", encoder.word),
            ("position", encoder.position),
            ("token_type", encoder.token_type),
        )
    }
    state |= _norm(f"ernie.{names.embedding_norm}", encoder.embedding_norm)
    for index, layer in enumerate(encoder.layers):
        place = f"ernie.{names.layer.format(index)}"
        for name, linear in (
            (names.query, layer.query),
            (names.key, layer.key),
            (names.value, layer.value),
            (names.attention_output, layer.attention_output),
            (names.intermediate, layer.intermediate),
            (names.output, layer.output),
        ):
            state |= _linear(f"{place}.{name}", linear)
        state |= _norm(f"{place}.{names.attention_norm}", layer.attention_norm)
        state |= _norm(f"{place}.{names.output_norm}", layer.output_norm)
    size, pooler = encoder.hidden, getattr(model.head, "pooler", None)
    zeros = Linear(weight=np.zeros((size, size), np.float32), bias=np.zeros(size, np.float32))
    state |= _linear("ernie.pooler.dense", pooler or zeros)
    if isinstance(model.head, SequenceHead | TokenHead | SpanHead):
        state |= _linear("classifier", model.head.output)
    return state


def _linear(name: str, linear: Linear) -> _State:
    return {f"{name}.weight": linear.weight, f"{name}.bias": linear.bias}


def _norm(name: str, norm: Norm) -> _State:
    return {f"{name}.weight": norm.scale, f"{name}.bias": norm.bias}


def _static_names(names: list[str]) -> dict[str, str]:
    """Return Paddle's own name of each parameter, such as `linear_3.w_0`, in file order."""
    counts: dict[str, int] = {}
    numbered: dict[str, str] = {}
    static: dict[str, str] = {}
    for name in names:
        module, _, parameter = name.rpartition(".")
        if module not in numbered:
            kind = _kind(module)
            numbered[module] = f"{kind}_{counts.setdefault(kind, 0)}"
            counts[kind] += 1
        static[name] = f"{numbered[module]}.{'w' if parameter == 'weight' else 'b'}_0"
    return static


def _kind(module: str) -> str:
    if module.endswith("_embeddings"):
        return "embedding"
    return "layer_norm" if "norm" in module.rpartition(".")[2] else "linear"


def _paddle_config(config: Mapping[str, object], architecture: str) -> dict[str, object]:
    written = {
        **{key: config[key] for key in _CONFIG_KEYS if key in config},
        "architectures": [architecture],
        "fuse": False,
        "paddlenlp_version": None,
        "pool_act": "tanh",
        # The build's own model has added a task type to every token type.
        "use_task_id": False,
    }
    if config.get("id2label") not in (None, _ASSUMED_LABELS):
        written |= {key: config[key] for key in ("id2label", "label2id")}
    return dict(sorted(written.items()))


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
