"""Embeddings: the engine's vectors, scaled to length 1 if the build asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32, Tensors
from ernie_triton.batch import split_rows
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import EMBEDDING


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSettings(StageSettings):
    """The postprocess stage's parameters."""

    task: str
    normalize: bool


class VectorDecoder:
    """Return the vectors of a batch of requests."""

    inputs = tuple(tensor.name for tensor in EMBEDDING.engine_outputs)

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:  # noqa: ARG002
        """Keep the settings."""
        self._normalize = VectorSettings.from_parameters(parameters).normalize

    def read(self, tensors: Tensors) -> Float32:
        """Take the vectors."""
        (vectors,) = tensors.values()
        return vectors

    def run(self, items: Sequence[Float32]) -> list[dict[str, Array]]:
        """One vector for each text."""
        vectors = np.concatenate(items)
        if self._normalize:
            vectors = normalized(vectors)
        return split_rows({"embedding": vectors}, [len(item) for item in items])


def normalized(vectors: Float32) -> Float32:
    """The vectors, float32 [rows, hidden], at Euclidean length 1; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)
