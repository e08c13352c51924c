"""Weights in a safetensors file, of any framework."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from ernie_triton.arrays import Float32
from ernie_triton.build.load.weights import float32_array, is_index_buffer
from ernie_triton.errors import CheckpointError
from ernie_triton.lfs_pointer import pointer_fault


def read_safetensors(path: Path) -> dict[str, Float32]:
    """Read the arrays of a safetensors file, by name, as float32.

    Raises:
        CheckpointError: the file is damaged or a git-lfs pointer.
    """
    if fault := pointer_fault(path):
        raise CheckpointError(fault)
    try:
        with safe_open(path, framework="numpy") as file:
            return {
                name: float32_array(file.get_tensor(name), name, path)
                for name in file.keys()  # noqa: SIM118 (not a mapping)
                if not is_index_buffer(name)
            }
    except (SafetensorError, OSError, TypeError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file: {error}") from error
