"""Check that a Paddle parameter file is complete, which its converters do not.

A `*.pdiparams` file holds tensors without names, each as: version, levels of detail (none in these
models), version, length of a protobuf `TensorDesc`, this description, raw data.
https://github.com/PaddlePaddle/Paddle/blob/release/2.6/paddle/fluid/framework/lod_tensor.cc
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ernie_triton.errors import CheckpointError

_HEADER = struct.Struct("<IQIi")
# By the number of paddle.framework.proto.VarType.Type.
_ITEM_SIZES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 2, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2, 23: 8, 24: 16}


def check_pdiparams(path: Path) -> None:
    """Check that a parameter file consists of complete tensors.

    Raises:
        CheckpointError: the file is empty, ends within a tensor, or holds anything but tensors.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            count = 0
            while file.tell() < size_bytes:
                count += 1
                end = _tensor_end(file)
                if end > size_bytes:
                    raise ValueError(f"it ends {end - size_bytes} bytes within tensor {count}")
                file.seek(end)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise CheckpointError(
            f"{path} is truncated or not a Paddle parameter file: {error}; copy or export it again"
        ) from error
    if not count:
        raise CheckpointError(f"{path} is empty; expected a Paddle parameter file")


def _tensor_end(file: BinaryIO) -> int:
    """Read a tensor's description; return the byte position where its data ends."""
    start = file.tell()
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise ValueError(f"no tensor begins at byte {start}")
    version, levels, tensor_version, length = _HEADER.unpack(header)
    if (version, levels, tensor_version) != (0, 0, 0) or not 0 < length < 1024:
        raise ValueError(f"no tensor begins at byte {start}")
    description = file.read(length)
    if len(description) < length:
        raise ValueError(f"it ends within the description of the tensor at byte {start}")
    kind = -1
    dimensions: list[int] = []
    for field, value in _fields(description):
        if field == 1:
            kind = value
        elif field == 2:
            dimensions.append(value)
    if kind not in _ITEM_SIZES:
        raise ValueError(f"a tensor has the unknown data type {kind}")
    return file.tell() + math.prod(dimensions) * _ITEM_SIZES[kind]


def _fields(description: bytes) -> Iterator[tuple[int, int]]:
    """Read the numbers and values of a protobuf message's fields, here all varints."""
    position = 0
    while position < len(description):
        key, position = _varint(description, position)
        if key & 7:
            raise ValueError(f"a tensor's description has a field of wire type {key & 7}")
        value, position = _varint(description, position)
        yield key >> 3, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
