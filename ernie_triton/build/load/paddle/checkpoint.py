"""Weights that Paddle pickled: `model_state.pdparams`, or any `.pdparams`.

A `.pdparams` file is a pickle of NumPy arrays. It is read without running anything that it names,
not even NumPy's own classes: a damaged or malicious `numpy.dtype` state makes NumPy read numbers
as addresses. Stand-ins take the place of NumPy's classes.
"""

import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ernie_triton.build.load.pickled import StandInUnpickler, named_arrays_in
from ernie_triton.build.load.weights import float32_array, float_from_bits, is_index_buffer
from ernie_triton.errors import CheckpointError, UnsafePickleError
from ernie_triton.lfs_pointer import pointer_fault

_NUMBERS = re.compile("[biuf][1-9]")


class _NdArray:
    """Stand-in for `numpy.ndarray`, which a pickle only names."""


class _DType:
    """Stand-in for `numpy.dtype`: a type code, and of the state the byte order only."""

    def __init__(self, code: str, *_align_and_copy: object) -> None:
        if not _NUMBERS.fullmatch(code):
            raise UnsafePickleError(
                f"holds an array of the type {code}; expected numbers only; nothing in it was run"
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
    ("builtins", "tuple"): tuple,
    ("__builtin__", "tuple"): tuple,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _bytes_from_latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("numpy.core.multiarray", "_reconstruct"): _StoredArray,
    ("numpy._core.multiarray", "_reconstruct"): _StoredArray,
    ("numpy", "ndarray"): _NdArray,
    ("numpy", "dtype"): _DType,
}


def read_pdparams(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read the arrays of a `.pdparams` file, by parameter name, as float32.

    Raises:
        UnsafePickleError: the pickle names anything but arrays.
        CheckpointError: the file is truncated, a git-lfs pointer, or no such pickle.
    """
    if fault := pointer_fault(path):
        raise CheckpointError(fault)
    try:
        with path.open("rb") as file:
            content = StandInUnpickler(file, _STAND_INS).load()
        # Entries such as "StructuredToParameterName@@" are no arrays.
        stored = named_arrays_in(content, lambda value: _stored(value) is not None)
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{path}: the pickle {error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise CheckpointError(f"{path} is truncated or no PaddleNLP checkpoint: {error}") from error
    values = {name: _stored(value) for name, value in stored.items() if not is_index_buffer(name)}
    return {
        # Paddle stores bfloat16 as bits in uint16.
        name: float32_array(
            float_from_bits(array) if array.dtype == np.uint16 else array, name, path
        )
        for name, array in values.items()
        if array is not None
    }


def _stored(value: object) -> npt.NDArray[Any] | None:
    """Return the array of a value; in nested dictionaries, Paddle saves a name with each."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = value[1]
    return value.values if isinstance(value, _StoredArray) else None
