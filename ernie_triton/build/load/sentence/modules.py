"""Modules of a sentence-transformers model: the pooling, and the layers behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.build.load.safetensors_file import read_safetensors
from ernie_triton.build.load.settings import read_json
from ernie_triton.build.load.torch_file import read_torch
from ernie_triton.build.load.weight_files import SAFETENSORS_FILE, TORCH_FILE
from ernie_triton.build.model.encoder import Linear, Norm
from ernie_triton.build.model.heads import Dense, UnitLength, VectorLayer
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import TOKEN_POOLINGS

MODULE_CONFIG = "config.json"
_OLD_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Switches of the formats before 6, in the order in which their vectors are put side by side."""
_NEW_MODES = {**{name: name for name in TOKEN_POOLINGS}, "mean_sqrt_len_tokens": "mean_sqrt_len"}
_POOLING_KEYS = {
    *_OLD_MODES,
    "pooling_mode",
    "word_embedding_dimension",
    "embedding_dimension",
    "include_prompt",
}
_DENSE_KEYS = {
    *("in_features", "out_features", "bias", "activation_function"),
    *("module_input_name", "module_output_name", "use_residual"),
}
_LAYER_NORM_EPSILON = 1e-5
"""torch's default, which sentence-transformers does not change."""
_VECTOR, _TOKEN_VECTORS = "sentence_embedding", "token_embeddings"
ACTIVATIONS_OF_TORCH = {
    "torch.nn.modules.linear.Identity": "identity",
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.GELU": "gelu",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
    "torch.nn.Identity": "identity",
    "torch.nn.Tanh": "tanh",
    "torch.nn.ReLU": "relu",
    "torch.nn.GELU": "gelu",
    "torch.nn.Sigmoid": "sigmoid",
}
"""Our names of torch's activation classes, by the names under which folders store them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooling:
    """A pooling module.

    Attributes:
        mode: as `ernie_triton.tasks.pooling_parts` reads it.
        include_prompt: the tokens of a prompt are pooled too.
    """

    mode: str
    include_prompt: bool


def read_pooling(path: Path) -> Pooling:
    """Read a pooling module's configuration file.

    Raises:
        CheckpointError: it is damaged, or has a key or a pooling that is not known.
    """
    values = read_json(path)
    _check_keys(values, _POOLING_KEYS, path)
    mode = values.get("pooling_mode")
    if mode is None:
        switched = [name for key, name in _OLD_MODES.items() if values.get(key)]
        modes = switched or ["mean"]
    else:
        modes = [mode] if isinstance(mode, str) else mode
    unknown = [name for name in modes if name not in _NEW_MODES]
    if unknown or not modes:
        raise CheckpointError(
            f"{path}: pooling_mode is {mode!r}; expected one or several of {', '.join(_NEW_MODES)}"
        )
    return Pooling(
        mode="+".join(_NEW_MODES[name] for name in modes),
        include_prompt=values.get("include_prompt", True) is not False,
    )


def read_dense(folder: Path) -> tuple[VectorLayer, ...]:
    """Read a `Dense` module.

    Raises:
        CheckpointError: a file is missing or damaged, or it is a layer of another kind.
    """
    return _read_dense(folder, _VECTOR)


def _read_dense(folder: Path, place: str) -> tuple[Dense]:
    """Read a `Dense` module on the vectors of this name."""
    path = folder / MODULE_CONFIG
    values = read_json(path)
    _check_keys(values, _DENSE_KEYS, path)
    _check_place(values, path, place)
    if values.get("use_residual"):
        raise CheckpointError(f"{path}: use_residual is true; residual layers are not supported")
    named = values.get("activation_function", "torch.nn.modules.activation.Tanh")
    arrays = _arrays(folder)
    weight = _array(arrays, "linear.weight", folder)
    bias = arrays.get("linear.bias", np.zeros(weight.shape[:1], np.float32))
    if (values.get("bias", True) is True) != ("linear.bias" in arrays):
        raise CheckpointError(f"{path}: bias is {values.get('bias', True)}, unlike the weights")
    _check_used(arrays, {"linear.weight", "linear.bias"}, folder)
    shape = (values.get("out_features"), values.get("in_features"))
    if weight.shape != shape:
        raise CheckpointError(
            f"{path}: out_features and in_features are {list(shape)}, but the weights "
            f"{list(weight.shape)}"
        )
    return (Dense(linear=Linear(weight=weight.T, bias=bias), activation=activation(named, path)),)


def read_token_layer(folder: Path) -> Linear:
    """Read a `Dense` module on the vector of each token.

    Raises:
        CheckpointError: as `read_dense`, or it has an activation.
    """
    [layer] = _read_dense(folder, _TOKEN_VECTORS)
    if layer.activation != "identity":
        raise CheckpointError(
            f"{folder / MODULE_CONFIG}: the activation of token vectors is {layer.activation}; "
            f"only a linear layer is served"
        )
    return layer.linear


def read_layer_norm(folder: Path) -> tuple[VectorLayer, ...]:
    """Read a `LayerNorm` module.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    path = folder / MODULE_CONFIG
    _check_keys(read_json(path), {"dimension"}, path)
    arrays = _arrays(folder)
    scale, bias = (_array(arrays, f"norm.{part}", folder) for part in ("weight", "bias"))
    _check_used(arrays, {"norm.weight", "norm.bias"}, folder)
    return (Norm(scale=scale, bias=bias, epsilon=_LAYER_NORM_EPSILON),)


def read_normalize(folder: Path) -> tuple[VectorLayer, ...]:
    """Read a `Normalize` module, which before version 6 has no file.

    Raises:
        CheckpointError: it scales something else than the vectors of texts.
    """
    path = folder / MODULE_CONFIG
    if path.is_file():
        values = read_json(path)
        _check_keys(values, {"module_input_name", "module_output_name"}, path)
        _check_place(values, path, _VECTOR)
    return (UnitLength(),)


def read_dropout(folder: Path) -> tuple[VectorLayer, ...]:  # noqa: ARG001 (one of the readers)
    """Read a `Dropout` module: it does nothing after training."""
    return ()


def activation(named: object, path: Path) -> str:
    """Return our name of one of torch's activation classes.

    Raises:
        CheckpointError: it is not known.
    """
    if named is None:
        return "identity"
    if named not in ACTIVATIONS_OF_TORCH:
        raise CheckpointError(
            f"{path}: the activation is {named!r}; expected one of "
            f"{', '.join(name for name in ACTIVATIONS_OF_TORCH if '.modules.' in name)}"
        )
    return ACTIVATIONS_OF_TORCH[str(named)]


def _check_keys(values: Mapping[str, Any], known: set[str], path: Path) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise CheckpointError(
            f"{path} has the key {unknown[0]!r}, which is not known; expected only "
            f"{', '.join(sorted(known))}"
        )


def _check_place(values: Mapping[str, Any], path: Path, place: str) -> None:
    """Refuse a layer on other vectors than those of this name."""
    taken = values.get("module_input_name") or place
    for name in (taken, values.get("module_output_name") or taken):
        if name != place:
            raise CheckpointError(
                f"{path}: the layer works on {name!r}; only {place!r} is supported here"
            )


def _arrays(folder: Path) -> Mapping[str, Float32]:
    if (folder / SAFETENSORS_FILE).is_file():
        return read_safetensors(folder / SAFETENSORS_FILE)
    if (folder / TORCH_FILE).is_file():
        return read_torch(folder / TORCH_FILE)
    raise CheckpointError(
        f"{folder} has no weights; expected {SAFETENSORS_FILE} or {TORCH_FILE}, as "
        f"sentence-transformers saves them"
    )


def _array(arrays: Mapping[str, Float32], name: str, folder: Path) -> Float32:
    if name not in arrays:
        raise CheckpointError(f"{folder} has no array {name!r}; found {', '.join(sorted(arrays))}")
    return arrays[name]


def _check_used(arrays: Mapping[str, Float32], used: set[str], folder: Path) -> None:
    left = sorted(set(arrays) - used)
    if left:
        raise CheckpointError(f"{folder} has the array {left[0]!r}, which such a layer has not")
