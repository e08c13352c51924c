"""Vectors as stores for retrieval keep them: shorter, as bytes, or as bits.

The arithmetic is that of sentence-transformers (`truncate_embeddings`, `quantize_embeddings`), in
NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32

VECTOR_PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")
"""Types of a stored vector. `binary` and `ubinary` have a bit for each feature, eight in a byte."""

_STEPS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorForm:
    """The form that vectors are wanted in.

    Attributes:
        dimensions: features to keep, from the first on; None keeps all.
        precision: one of `VECTOR_PRECISIONS`.
        ranges: float32 [2, dimensions], for `int8` and `uint8`: see `quantize_vectors`.
    """

    dimensions: int | None = None
    precision: str = "float32"
    ranges: Float32 | None = None

    def of(self, vectors: Float32) -> Array:
        """Vectors, float32 [rows, hidden], in this form.

        Raises:
            ValueError: there are fewer features than wanted, or the ranges do not fit.
        """
        if self.dimensions is not None:
            vectors = shorten_vectors(vectors, self.dimensions)
        return quantize_vectors(vectors, self.precision, self.ranges)


def shorten_vectors(vectors: Float32, dimensions: int) -> Float32:
    """The first features of vectors [rows, hidden], scaled to length 1 again.

    For models that were trained for it (Matryoshka). A zero vector stays zero.

    Raises:
        ValueError: there are fewer features than that.
    """
    if not 1 <= dimensions <= vectors.shape[1]:
        raise ValueError(f"dimensions is {dimensions}; expected 1 to {vectors.shape[1]}")
    kept = vectors[:, :dimensions]
    lengths = np.linalg.norm(kept, axis=1, keepdims=True)
    return np.asarray(kept / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)


def vector_ranges(vectors: Float32) -> Float32:
    """The least and the largest value of each feature, float32 [2, features], for `int8`.

    A thousand vectors of typical texts are enough. One pair of ranges must serve all vectors of a
    store.
    """
    return np.stack((vectors.min(axis=0), vectors.max(axis=0)))


def quantize_vectors(vectors: Float32, precision: str, ranges: Float32 | None = None) -> Array:
    """Vectors [rows, features] as bytes or bits.

    Args:
        vectors: float32.
        precision: one of `VECTOR_PRECISIONS`. `int8` and `uint8` cut each feature's range into 256
            steps, and values beyond it to the outermost one. `binary` (int8) and `ubinary` (uint8)
            say of each feature whether it is above 0.
        ranges: of `vector_ranges`, for `int8` and `uint8`.

    Returns:
        [rows, features], or [rows, features / 8] for bits, rounded up.

    Raises:
        ValueError: the precision is not known, or the ranges are missing or of another length.
    """
    if precision == "float32":
        return vectors
    if precision in ("binary", "ubinary"):
        bits: Array = np.packbits(vectors > 0, axis=-1)
        return bits if precision == "ubinary" else (bits - 128).astype(np.int8)
    if precision not in VECTOR_PRECISIONS:
        raise ValueError(
            f"precision is {precision!r}; expected one of {', '.join(VECTOR_PRECISIONS)}"
        )
    if ranges is None or ranges.shape != (2, vectors.shape[1]):
        found = "none" if ranges is None else list(ranges.shape)
        raise ValueError(
            f"{precision} needs ranges of the shape [2, {vectors.shape[1]}], found {found}; make "
            f"them with vector_ranges from the vectors of typical texts"
        )
    steps = (ranges[1] - ranges[0]) / _STEPS
    places: Array = np.floor((vectors - ranges[0]) / np.where(steps == 0, 1, steps)).clip(0, _STEPS)
    return places.astype(np.uint8) if precision == "uint8" else (places - 128).astype(np.int8)
