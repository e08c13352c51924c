"""Reranking: the scores of a query's documents, and their order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32, Tensors
from ernie_triton.decoders.labels import check_label_count, sigmoid, softmax
from ernie_triton.errors import PipelineError
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import QUERY_ROW, RANK_ACTIVATIONS, RERANK

_LOGITS = RERANK.engine_outputs[0].name
_FUNCTIONS: Mapping[str, Callable[[Float32], Float32]] = dict(
    zip(RANK_ACTIVATIONS, (lambda logits: logits, sigmoid, softmax), strict=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSettings(StageSettings):
    """The postprocess stage's parameters.

    `labels` is how many scores the engine gives, `ranked` the place of the one that ranks, which
    goes through `activation` together with the others.
    """

    task: str
    labels: int
    ranked: int
    activation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDocuments:
    """The documents of one request.

    Attributes:
        logits: float32 [queries * documents, labels], the documents of a query one after another.
        queries: how many.
    """

    logits: Float32
    queries: int


class RankDecoder:
    """Score and order the documents of each query of a batch of requests."""

    inputs = (_LOGITS, QUERY_ROW.name)

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:
        """Keep the settings.

        Raises:
            LabelCountError: the label names are not one for each score of the engine.
            PipelineError: the activation is not known, or no label is at the place that ranks.
        """
        settings = RankSettings.from_parameters(parameters)
        check_label_count(labels, settings.labels, "the engine")
        if settings.activation not in _FUNCTIONS or not 0 <= settings.ranked < settings.labels:
            raise PipelineError(
                f"the stage ranks by score {settings.ranked} of {settings.labels} through "
                f"{settings.activation}; rebuild the pipeline with this version of ernie-triton"
            )
        self._labels = labels
        self._ranked = settings.ranked
        self._function = _FUNCTIONS[settings.activation]

    def read(self, tensors: Tensors) -> QueryDocuments:
        """Take the logits.

        Raises:
            LabelCountError: they are not one for each label.
        """
        logits = tensors[_LOGITS]
        check_label_count(self._labels, logits.shape[-1], "the engine")
        return QueryDocuments(logits=logits, queries=int(tensors[QUERY_ROW.name][-1, 0]) + 1)

    def run(self, items: Sequence[QueryDocuments]) -> list[dict[str, Array]]:
        """Score and order; both are [queries, documents]. Equal scores stay in the order sent."""
        scores = self._function(np.concatenate([item.logits for item in items]))[:, self._ranked]
        ends = np.cumsum([len(item.logits) for item in items])[:-1]
        answers: list[dict[str, Array]] = []
        for item, part in zip(items, np.split(scores, ends), strict=True):
            table = part.reshape(item.queries, -1)
            order = np.argsort(-table, axis=1, kind="stable").astype(np.int64)
            answers.append({"scores": table, "order": order})
        return answers
