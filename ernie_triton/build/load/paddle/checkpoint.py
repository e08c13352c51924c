"""PaddleNLP checkpoints: `model_state.pdparams` with `config.json` or `model_config.json`.

A `.pdparams` file is a pickle of NumPy arrays. It is read without running anything that it names,
not even NumPy's own classes: a damaged or malicious `numpy.dtype` state makes NumPy read numbers
as addresses. Stand-ins take the place of NumPy's classes.
"""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ernie_triton.build.load.settings import (
    folds_case,
    read_config,
    splits_ideographs,
    vocabulary_beside,
)
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.load.state import model_from_state
from ernie_triton.build.load.weights import PADDLENLP, float32_array, is_index_buffer
from ernie_triton.errors import CheckpointError, UnsafePickleError

PDPARAMS_FILE = "model_state.pdparams"
_NUMBERS = re.compile("[biuf][1-9]")


def read_paddlenlp(folder: Path, wanted: WantedHead) -> Source:
    """Read a folder written by `save_pretrained` of PaddleNLP.

    Raises:
        UnsafePickleError: the weights' pickle names anything but arrays.
        CheckpointError: a file is damaged, or the model is not of the BERT family.
        OtherTaskError: the model is of another task than wanted.
    """
    config = read_config(folder)
    path = folder / PDPARAMS_FILE
    state = read_pdparams(path)
    return Source(
        kind=f"PaddleNLP checkpoint ({path.name})",
        path=folder,
        model=model_from_state(state, PADDLENLP, config, str(path), wanted),
        labels=config.labels,
        vocabulary=vocabulary_beside(folder),
        lower_case=folds_case(folder),
        tokenize_chinese_chars=splits_ideographs(folder),
        problem=config.problem,
    )


class _NdArray:
    """Stand-in for `numpy.ndarray`, which a pickle only names."""


class _DType:
    """Stand-in for `numpy.dtype`: a type code, and of the state the byte order only."""

    def __init__(self, code: str, *_align_and_copy: object) -> None:
        if not _NUMBERS.fullmatch(code):
            raise UnsafePickleError(
                f"the pickle holds an array of the type {code}; expected numbers only; "
                f"nothing in it was run"
            )
        self.type = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, byte_order, *_rest = state
        self.type = self.type.newbyteorder(byte_order)


class _StoredArray:
    """Stand-in for the result of `_reconstruct`: an array, filled from its state."""

    def __init__(self, *_empty: object) -> None:
        self.values: npt.NDArray[Any] = np.empty(0, np.float32)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, dtype, is_fortran, content = state
        order: Literal["C", "F"] = "F" if is_fortran else "C"
        self.values = np.ndarray(shape, dtype.type, content, order=order)
        if self.values.nbytes != len(content):
            raise pickle.UnpicklingError(f"{len(content)} bytes for the shape {list(shape)}")


def _bytes_from_latin1(text: str, encoding: str) -> bytes:
    """Stand-in for `_codecs.encode`, which protocol 2 (Paddle 2.0) uses to write bytes."""
    if encoding != "latin1":
        raise UnsafePickleError(f"the pickle asks for the encoding {encoding!r}; expected latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Stand-in for `bytes`, which protocol 2 calls for an array without values."""
    return b""


_STAND_INS: Mapping[tuple[str, str], Any] = {
    ("_codecs", "encode"): _bytes_from_latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("numpy.core.multiarray", "_reconstruct"): _StoredArray,
    ("numpy._core.multiarray", "_reconstruct"): _StoredArray,
    ("numpy", "ndarray"): _NdArray,
    ("numpy", "dtype"): _DType,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        if (module, name) not in _STAND_INS:
            raise UnsafePickleError(
                f"the pickle asks for {module}.{name}; expected NumPy arrays only; nothing in "
                f"it was run"
            )
        return _STAND_INS[module, name]


def read_pdparams(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read the arrays of a `model_state.pdparams`, by parameter name, as float32.

    Raises:
        UnsafePickleError: the pickle names anything but arrays.
        CheckpointError: the file is truncated or no such pickle.
    """
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file).load()
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{path}: {error}") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise CheckpointError(f"{path} is truncated or no PaddleNLP checkpoint: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}; expected named arrays")
    # Entries such as "StructuredToParameterName@@" are no arrays.
    stored = {name: value for name, value in content.items() if isinstance(value, _StoredArray)}
    return {
        name: float32_array(_float_from_bits(value.values), name, path)
        for name, value in stored.items()
        if not is_index_buffer(name)
    }


def _float_from_bits(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Convert bfloat16, which NumPy lacks and Paddle stores as bits in uint16, to float32."""
    if array.dtype != np.uint16:
        return array
    return (array.astype(np.uint32) << 16).view(np.float32)
