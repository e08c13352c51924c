"""Weights in a safetensors file, of any framework."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ernie_triton.arrays import Array, Float32
from ernie_triton.build.load.weights import float32_array, is_index_buffer
from ernie_triton.errors import CheckpointError
from ernie_triton.lfs_pointer import pointer_fault

_NARROW = ("F8_", "F6_", "F4")
"""Beginnings of number types that NumPy lacks; they come with scales in arrays of their own."""


def safetensors_names(path: Path) -> list[str]:
    """Return the names of the arrays in a safetensors file, without reading them.

    Raises:
        CheckpointError: the file is damaged or a git-lfs pointer.
    """
    with _opened(path) as file:
        return list(file.keys())


def read_safetensors(path: Path) -> dict[str, Float32]:
    """Read the arrays of a safetensors file, by name, as float32.

    Raises:
        CheckpointError: the file is damaged or a git-lfs pointer.
    """
    with _opened(path) as file:
        names = [name for name in file.keys() if not is_index_buffer(name)]  # noqa: SIM118
        for name in names:
            kind = file.get_slice(name).get_dtype()
            if kind.startswith(_NARROW):
                raise CheckpointError(
                    f"{path}: {name} has the type {kind}; expected floating-point weights of "
                    f"16 bits at least; save the model dequantized"
                )
        return {name: float32_array(file.get_tensor(name), name, path) for name in names}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file of arrays; what fails within the context is told as damage of the file."""
    if fault := pointer_fault(path):
        raise CheckpointError(fault)
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (SafetensorError, OSError, TypeError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file: {error}") from error


def write_safetensors(arrays: Mapping[str, Array], path: Path) -> None:
    """Write arrays to a file that has the usual mode of a new one.

    safetensors 0.8 lets nobody but the owner read what it writes: the user of a container could not
    build or serve it.
    """
    path.touch()
    mode = path.stat().st_mode
    save_file(dict(arrays), path, metadata={"format": "pt"})  # transformers requires the key
    path.chmod(mode)
