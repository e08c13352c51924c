"""Arrays and settings of types that have other names for them than BERT, by BERT's names.

DistilBERT and ALBERT compute what BERT does, between embeddings and a head of their own, and SKEP,
ERNIE-Gram and ERNIE-M have other defaults. The frameworks' sources are where the names and
values are from. ALBERT's layers share their arrays: each gets the same ones, without a copy.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from ernie_triton.build.load.weights import PADDLE_ALBERT_NORM
from ernie_triton.errors import CheckpointError

_Array = TypeVar("_Array")

_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "distilbert": {
        "dim": "hidden_size",
        "hidden_dim": "intermediate_size",
        "n_heads": "num_attention_heads",
        "n_layers": "num_hidden_layers",
        "activation": "hidden_act",
    }
}
"""The type's own keys of `config.json`, with BERT's."""
_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "albert": {"hidden_act": "gelu_new", "num_hidden_layers": 12, "num_hidden_groups": 1},
    "skep": {"hidden_act": "relu"},
    "ernie_m": {"layer_norm_eps": 1e-5, "pad_token_id": 1},
}
_FIXED: Mapping[str, Mapping[str, object]] = {
    "distilbert": {"layer_norm_eps": 1e-12, "type_vocab_size": None},
    "skep": {"layer_norm_eps": 1e-5},
    "ernie_gram": {"layer_norm_eps": 1e-5},
}
"""Values that the type's class has whatever the configuration says."""

_IN_DISTILBERT = (
    (r"(^|\.)transformer\.layer\.(\d+)\.attention\.([qkv])_lin\.", r"\1encoder.layer.\2.\3_lin."),
    (r"(encoder\.layer\.\d+\.)q_lin\.", r"\1attention.self.query."),
    (r"(encoder\.layer\.\d+\.)k_lin\.", r"\1attention.self.key."),
    (r"(encoder\.layer\.\d+\.)v_lin\.", r"\1attention.self.value."),
    (r"(^|\.)transformer\.layer\.(\d+)\.", r"\1encoder.layer.\2."),
    (r"\.attention\.out_lin\.", ".attention.output.dense."),
    (r"\.sa_layer_norm\.", ".attention.output.LayerNorm."),
    (r"\.ffn\.lin1\.", ".intermediate.dense."),
    (r"\.ffn\.lin2\.", ".output.dense."),
    (r"\.output_layer_norm\.", ".output.LayerNorm."),
)
_IN_ALBERT_LAYER = (
    (r"^attention\.(query|key|value)\.", r"attention.self.\1."),
    (r"^attention\.(dense|LayerNorm)\.", r"attention.output.\1."),
    (r"^ffn_output\.", "output.dense."),
    (r"^ffn\.", "intermediate.dense."),
    (r"^full_layer_layer_norm\.", "output.LayerNorm."),
)
_IN_PADDLE_ALBERT_LAYER = (
    (r"^attention\.query\.", "self_attn.q_proj."),
    (r"^attention\.key\.", "self_attn.k_proj."),
    (r"^attention\.value\.", "self_attn.v_proj."),
    (r"^attention\.dense\.", "self_attn.out_proj."),
    (r"^attention\.layer_norm\.", "norm1."),
    (r"^ffn_output\.", "linear2."),
    (r"^ffn\.", "linear1."),
    (r"^full_layer_layer_norm\.", "norm2."),
)
_SHARED = re.compile(r"^(.*)encoder\.albert_layer_groups\.(\d+)\.albert_layers\.(\d+)\.(.*)$")
_IN_ERNIE_M = (
    (r"embeddings\.layer_norm\.", "embeddings.LayerNorm."),
    (r"(^|\.)encoder\.layers\.", r"\1encoder.layer."),
    (r"\.self_attn\.self_attn\.q_proj\.", ".attention.self.query."),
    (r"\.self_attn\.self_attn\.k_proj\.", ".attention.self.key."),
    (r"\.self_attn\.self_attn\.v_proj\.", ".attention.self.value."),
    (r"\.self_attn\.out_proj\.", ".attention.output.dense."),
    (r"(layer\.\d+)\.norm1\.", r"\1.attention.output.LayerNorm."),
    (r"(layer\.\d+)\.linear1\.", r"\1.intermediate.dense."),
    (r"(layer\.\d+)\.linear2\.", r"\1.output.dense."),
    (r"(layer\.\d+)\.norm2\.", r"\1.output.LayerNorm."),
)
"""Names of transformers' ERNIE-M, which are nearly PaddleNLP's, for arrays that are not."""
_ERNIE_M_PORT = ".self_attn.self_attn."
_UIE_M = "uiem"
_PROJECTION = "encoder.embedding_hidden_mapping_in."


def with_bert_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with BERT's keys beside the type's own, and the type and its defaults.

    Raises:
        CheckpointError: a setting has two keys with two values, or one that is not supported.
    """
    kind = own_type(values)
    for own, key in _SETTINGS.get(kind, {}).items():
        if values.get(own) and values.get(key) not in (None, values[own]):
            raise CheckpointError(
                f"the configuration of {kind} says {own} {values[own]!r} and {key} "
                f"{values[key]!r}, which are the same setting; remove the wrong one"
            )
    if kind == "albert" and values.get("inner_group_num") not in (None, 1):
        raise CheckpointError(
            f"the configuration says inner_group_num {values['inner_group_num']!r}; only groups "
            f"of 1 layer are supported; export the model to ONNX and build from that file"
        )
    renamed = {key: values[own] for own, key in _SETTINGS.get(kind, {}).items() if values.get(own)}
    defaults = {
        key: value for key, value in _DEFAULTS.get(kind, {}).items() if values.get(key) is None
    }
    named = {"model_type": kind} if kind else {}
    return {**values, **named, **defaults, **renamed, **_FIXED.get(kind, {})}


def own_type(values: Mapping[str, Any]) -> str:
    """Return the model type of a configuration, also where only its class says it; or empty."""
    if values.get("model_type"):
        return str(values["model_type"]).lower()
    listed = values.get("architectures")
    classes = listed if isinstance(listed, list) and listed else [values.get("init_class")]
    known = {*_SETTINGS, *_DEFAULTS, *_FIXED}
    found = str(classes[0]).lower().replace(_UIE_M, "erniem")
    return next((kind for kind in known if found.startswith(kind.replace("_", ""))), "")


def with_bert_names(
    state: Mapping[str, _Array], values: Mapping[str, Any], where: str
) -> dict[str, _Array]:
    """Return a checkpoint's arrays by BERT's names.

    Args:
        state: arrays by the framework's names.
        values: the configuration, as `with_bert_settings` returns it.
        where: the file, for messages.

    Raises:
        CheckpointError: groups of shared layers are not those of the configuration.
    """
    kind = own_type(values)
    if kind == "distilbert":
        return _of_distilbert(state)
    if kind == "albert":
        return _of_albert(state, values, where)
    if kind == "ernie_m" and any(_ERNIE_M_PORT in name for name in state):
        return {_renamed(name, _IN_ERNIE_M): array for name, array in state.items()}
    return dict(state)


def _of_distilbert(state: Mapping[str, _Array]) -> dict[str, _Array]:
    has_dense = any("pre_classifier." in name for name in state)
    renamed = {}
    for name, array in state.items():
        new = _renamed(name, _IN_DISTILBERT)
        if has_dense:
            new = re.sub(r"(^|\.)classifier\.(weight|bias)$", r"\1classifier.out_proj.\2", new)
            new = re.sub(r"(^|\.)pre_classifier\.", r"\1classifier.dense.", new)
        renamed[new] = array
    return renamed


def _of_albert(
    state: Mapping[str, _Array], values: Mapping[str, Any], where: str
) -> dict[str, _Array]:
    layers, groups = (int(values[key]) for key in ("num_hidden_layers", "num_hidden_groups"))
    is_paddle = any(name.endswith(PADDLE_ALBERT_NORM) for name in state)
    in_layer = _IN_PADDLE_ALBERT_LAYER if is_paddle else _IN_ALBERT_LAYER
    layer = "encoder.layers" if is_paddle else "encoder.layer"
    shared: dict[tuple[str, int, int], dict[str, _Array]] = {}
    renamed: dict[str, _Array] = {}
    for name, array in state.items():
        if found := _SHARED.match(name):
            place = (found[1], int(found[2]), int(found[3]))
            shared.setdefault(place, {})[_renamed(found[4], in_layer)] = array
        else:
            new = name.replace(_PROJECTION, "embeddings_project.")
            renamed[re.sub(r"(^|\.)pooler\.(weight|bias)$", r"\1pooler.dense.\2", new)] = array
    places = [place[1:] for place in sorted(shared)]
    if not places or places != [(group, 0) for group in range(groups)]:
        raise CheckpointError(
            f"{where} has {len(shared)} shared layers in groups, but the configuration says "
            f"num_hidden_groups {groups} and inner_group_num 1 is supported alone; put the "
            f"configuration that was saved with these weights beside them"
        )
    by_group = {group: (before, part) for (before, group, _), part in shared.items()}
    for index in range(layers):
        # As AlbertTransformer computes the group.
        before, part = by_group[int(index / (layers / groups))]
        for name, array in part.items():
            renamed[f"{before}{layer}.{index}.{name}"] = array
    if is_paddle:  # names the encoder after what it is, not after its type
        pairs = (
            (r"^transformer\.", "albert."),
            (r"^predictions\.layer_norm\.", "predictions.LayerNorm."),
        )
        return {_renamed(name, pairs): array for name, array in renamed.items()}
    return renamed


def _renamed(name: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for pattern, new in pairs:
        name = re.sub(pattern, new, name)
    return name
