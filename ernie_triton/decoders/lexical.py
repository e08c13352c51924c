"""Lexical weights: the tokens of a text that have a weight, each token of the vocabulary once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32, Int32, Int64, Tensors
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import NO_TOKEN, SPARSE, WEIGHTED_IDS

_WEIGHTS = SPARSE.engine_outputs[0].name
_INDICES, _VALUES = (tensor.name for tensor in SPARSE.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalSettings(StageSettings):
    """The postprocess stage's parameters."""

    task: str


class LexicalDecoder:
    """Gathers the weights of each text of a batch of requests, as FlagEmbedding's bge-m3 does."""

    inputs = (_WEIGHTS, WEIGHTED_IDS.name)

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:  # noqa: ARG002
        """Check the parameters; there are no labels.

        Raises:
            PipelineError: a parameter is missing or unknown.
        """
        LexicalSettings.from_parameters(parameters)

    def read(self, tensors: Tensors) -> tuple[Int32, Float32]:
        """Take the ids and the weights of a request's tokens, both [texts, longest]."""
        return tensors[WEIGHTED_IDS.name], tensors[_WEIGHTS]

    def run(self, items: Sequence[tuple[Int32, Float32]]) -> list[dict[str, Array]]:
        """Give each text its ids in rising order, and their weights.

        The texts of a request have the columns of the one with most ids, one at least; what is left
        has the id `NO_TOKEN` and the weight 0.
        """
        return [_answer([*map(weights_of_ids, *item)]) for item in items]


def weights_of_ids(ids: Int32, weights: Float32) -> tuple[Int64, Float32]:
    """The largest weight of each id, ids in rising order; only ids and weights above `NO_TOKEN`, 0.

    Args:
        ids: of the tokens of one text, [tokens].
        weights: of the same tokens.
    """
    kept = (ids != NO_TOKEN) & (weights > 0)
    found, places = np.unique(ids[kept], return_inverse=True)
    largest = np.zeros(len(found), np.float32)
    np.maximum.at(largest, places, weights[kept])
    return found.astype(np.int64), largest


def _answer(rows: Sequence[tuple[Int64, Float32]]) -> dict[str, Array]:
    columns = max(1, *(len(ids) for ids, _ in rows))
    indices = np.full((len(rows), columns), NO_TOKEN, np.int64)
    values = np.zeros((len(rows), columns), np.float32)
    for row, (ids, weights) in enumerate(rows):
        indices[row, : len(ids)], values[row, : len(ids)] = ids, weights
    return {_INDICES: indices, _VALUES: values}
