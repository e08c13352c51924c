"""Checkpoints of transformers: `model.safetensors`, or `pytorch_model.bin` through torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from ernie_triton.build.load.settings import (
    folds_case,
    read_config,
    splits_ideographs,
    vocabulary_beside,
)
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.load.state import model_from_state
from ernie_triton.build.load.weights import TRANSFORMERS, float32_array, is_index_buffer
from ernie_triton.errors import CheckpointError, MissingExtraError

if TYPE_CHECKING:
    import torch

SAFETENSORS_FILE = "model.safetensors"
TORCH_FILE = "pytorch_model.bin"


def read_transformers(folder: Path, wanted: WantedHead) -> Source:
    """Read a folder written by `save_pretrained` of transformers.

    Raises:
        CheckpointError: a file is damaged, or the model is not of the BERT family.
        OtherTaskError: the model is of another task than wanted.
        MissingExtraError: the weights are a `.bin` and torch is not installed.
    """
    config = read_config(folder)
    safetensors = folder / SAFETENSORS_FILE
    path = safetensors if safetensors.is_file() else folder / TORCH_FILE
    state = read_safetensors(path) if path == safetensors else read_torch(path)
    return Source(
        kind=f"transformers checkpoint ({path.name})",
        path=folder,
        model=model_from_state(state, TRANSFORMERS, config, str(path), wanted),
        labels=config.labels,
        vocabulary=vocabulary_beside(folder),
        lower_case=folds_case(folder),
        tokenize_chinese_chars=splits_ideographs(folder),
        problem=config.problem,
    )


def read_safetensors(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read the arrays of a safetensors file, by name, as float32.

    Raises:
        CheckpointError: the file is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return {
                name: float32_array(file.get_tensor(name), name, path)
                for name in file.keys()  # noqa: SIM118 (not a mapping)
                if not is_index_buffer(name)
            }
    except (SafetensorError, OSError, TypeError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file: {error}") from error


def read_torch(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read the arrays of a `pytorch_model.bin`, by name, as float32; torch loads weights only.

    Raises:
        CheckpointError: the file is damaged, or holds more than weights.
        MissingExtraError: torch is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtraError("torch", "train", f"reading {path.name}") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path} is truncated or holds more than weights: {reason}"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}; expected named tensors")
    return {
        name: float32_array(_array_from_tensor(tensor), name, path)
        for name, tensor in state.items()
        if isinstance(tensor, torch.Tensor) and not is_index_buffer(name)
    }


def _array_from_tensor(tensor: "torch.Tensor") -> npt.NDArray[Any]:
    """Convert a tensor; bfloat16 becomes float32, integers stay for `float32_array` to refuse."""
    return np.asarray(tensor.float() if tensor.is_floating_point() else tensor)
