"""Weights that torch saved (`.bin`, `.pt`, `.pth`, `.ckpt`), read without torch.

The file is a zip archive of a pickle and one file a storage (since torch 1.6), or three pickles, a
pickle of the model, and the storages one after the other (before). So a build gives the same with
and without torch installed, and nothing that a file names is run.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float32
from ernie_triton.build.load.pickled import StandInUnpickler, named_arrays_in
from ernie_triton.build.load.weights import float32_array, float_from_bits, is_index_buffer
from ernie_triton.errors import CheckpointError, UnsafePickleError
from ernie_triton.lfs_pointer import pointer_fault

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_BFLOAT16 = "bfloat16"
_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_SAVE_WEIGHTS = (
    "if it holds a whole model or a training's state, save the weights alone: "
    "model.save_pretrained(folder), or torch.save(model.state_dict(), 'pytorch_model.bin')"
)


class _Storage:
    """Numbers of one type; their bytes come later in files before torch 1.6."""

    def __init__(self, kind: str, length: int) -> None:
        self.kind = kind
        self.length = int(length)
        self.content = b""

    @property
    def item_bytes(self) -> int:
        return 2 if self.kind == _BFLOAT16 else np.dtype(self.kind).itemsize

    def values(self) -> npt.NDArray[Any]:
        dtype = np.dtype("<u2" if self.kind == _BFLOAT16 else self.kind)
        if len(self.content) < self.length * dtype.itemsize:
            raise pickle.UnpicklingError(f"{len(self.content)} bytes for {self.length} numbers")
        return np.frombuffer(self.content, dtype, self.length)


class _Tensor:
    """A view of a storage: its first number, its sizes, and the steps between numbers."""

    def __init__(
        self, storage: _Storage, offset: int, sizes: Sequence[int], steps: Sequence[int], *_: object
    ) -> None:
        self.storage = storage
        self.offset, self.sizes, self.steps = int(offset), tuple(sizes), tuple(steps)

    def array(self) -> npt.NDArray[Any]:
        values = self.storage.values()
        if len(self.sizes) != len(self.steps) or min((self.offset, *self.sizes, *self.steps)) < 0:
            raise pickle.UnpicklingError(f"a tensor of the sizes {list(self.sizes)}")
        count = math.prod(self.sizes)
        last = sum((size - 1) * step for size, step in zip(self.sizes, self.steps, strict=True))
        if count and self.offset + last >= len(values):
            raise pickle.UnpicklingError(f"a tensor of {count} numbers in {len(values)}")
        steps = [step * values.itemsize for step in self.steps]
        view = np.lib.stride_tricks.as_strided(
            values[self.offset :] if count else values[:0], self.sizes, steps
        )
        is_bits = self.storage.kind == _BFLOAT16
        return float_from_bits(view) if is_bits else np.ascontiguousarray(view)


class _Plain:
    """Stand-in for settings beside the weights, such as `argparse.Namespace`; it does nothing."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def _parameter(tensor: object, *_: object) -> object:
    """Stand-in for `_rebuild_parameter`: a parameter is its tensor."""
    return tensor


_STAND_INS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.nn.parameter", "Parameter"): _parameter,
    ("torch", "Size"): tuple,
    ("torch", "device"): _Plain,
    ("argparse", "Namespace"): _Plain,
    ("numpy", "dtype"): _Plain,
    **{("numpy.core.multiarray", name): _Plain for name in ("scalar", "_reconstruct")},
    **{("numpy._core.multiarray", name): _Plain for name in ("scalar", "_reconstruct")},
    ("numpy", "ndarray"): _Plain,
    ("_codecs", "encode"): _Plain,
    **{("torch", name): kind for name, kind in _TYPES.items()},
    **{("torch", name): name for name in ("float32", "float16", "bfloat16", "float64", "int64")},
}


def read_torch(path: Path) -> dict[str, Float32]:
    """Read the arrays of a file that torch saved, by name, as float32.

    Raises:
        CheckpointError: the file is damaged, a git-lfs pointer, or holds more than weights.
    """
    if fault := pointer_fault(path):
        raise CheckpointError(fault)
    try:
        content = _content(path)
        tensors = named_arrays_in(content, lambda value: isinstance(value, _Tensor))
        arrays = {
            name: tensor.array() for name, tensor in tensors.items() if not is_index_buffer(name)
        }
    except UnsafePickleError as error:
        raise UnsafePickleError(
            f"{path} holds more than weights: it {error}; {_SAVE_WEIGHTS}"
        ) from error
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}") from error
    except Exception as error:  # a damaged pickle can raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path} is truncated or no file of torch: {reason}") from error
    return {name: float32_array(array, name, path) for name, array in arrays.items()}


def _content(path: Path) -> object:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _zip_content(archive)
    with path.open("rb") as file:
        return _old_content(file)


def _zip_content(archive: zipfile.ZipFile) -> object:
    (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
    folder = pickled.removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist():
        order = archive.read(f"{folder}byteorder")
        if order != b"little":
            raise CheckpointError(f"has the byte order {order!r}; expected b'little'")

    def load(pid: tuple[Any, ...]) -> _Storage:
        storage = _storage_of(pid)
        storage.content = archive.read(f"{folder}data/{pid[2]}")
        return storage

    once = _Once(load)
    return StandInUnpickler(io.BytesIO(archive.read(pickled)), _STAND_INS, once).load()


def _old_content(file: io.BufferedReader) -> object:
    once = _Once(_storage_of)
    magic, protocol = (StandInUnpickler(file, {}).load() for _ in range(2))
    if (magic, protocol) != (_MAGIC, _PROTOCOL):
        raise pickle.UnpicklingError("it begins otherwise")
    StandInUnpickler(file, {}).load()  # sizes of the machine's numbers
    content = StandInUnpickler(file, _STAND_INS, once).load()
    for key in StandInUnpickler(file, {}).load():
        storage = once.made[key]
        (length,) = np.frombuffer(file.read(8), "<i8")
        if length != storage.length:
            raise pickle.UnpicklingError(f"a storage of {length} numbers, not {storage.length}")
        storage.content = file.read(storage.length * storage.item_bytes)
    return content


class _Once:
    """Makes each storage once: tensors can share one."""

    def __init__(self, make: Callable[[tuple[Any, ...]], _Storage]) -> None:
        self._make = make
        self.made: dict[str, _Storage] = {}

    def __call__(self, pid: tuple[Any, ...]) -> _Storage:
        if pid[2] not in self.made:
            self.made[pid[2]] = self._make(pid)
        return self.made[pid[2]]


def _storage_of(pid: tuple[Any, ...]) -> _Storage:
    word, kind, _key, _device, length, *view = pid
    if word != "storage" or not isinstance(kind, str) or (view and view[0] is not None):
        raise pickle.UnpicklingError(f"a storage of the form {word!r}")
    return _Storage(kind, length)
