"""Compare answers under load with solo answers, by the rules of each task.

A server that batches requests computes the same numbers in another order or with another kernel.
So scores may differ in their low bits. Decisions may not differ, except where the solo answer
itself holds two decisions that are that close.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.client.client import BlockingClient
from ernie_triton.client.tasks.choice import ChoiceClient, ChosenOption
from ernie_triton.client.tasks.cloze import ClozeClient, FilledText
from ernie_triton.client.tasks.colbert import ColbertClient
from ernie_triton.client.tasks.embedding import EmbeddingClient
from ernie_triton.client.tasks.extraction import Extraction, ExtractionClient
from ernie_triton.client.tasks.multi_label import LabelSet, MultiLabelClient
from ernie_triton.client.tasks.qa import Answer, QaClient
from ernie_triton.client.tasks.regression import RegressionClient, Score
from ernie_triton.client.tasks.rerank import Ranking, RerankClient
from ernie_triton.client.tasks.seq_cls import Classification, SeqClsClient
from ernie_triton.client.tasks.sparse import SparseClient, SparseVector
from ernie_triton.client.tasks.token_cls import Entity, TokenClsClient
from ernie_triton.perf.analyzer.texts import TextRow
from ernie_triton.tasks import Task

_C = TypeVar("_C", bound=BlockingClient)
_A = TypeVar("_A")

SCORE_TOLERANCES: Mapping[str, float] = {
    "": 1e-4,
    "fp32": 1e-4,
    "fp16": 1e-2,
    "bf16": 2e-2,
    "int8": 2e-2,
}
"""Largest difference of a score (a probability, a part of a vector), by precision.

Measured with the embedded server on a CPU with BF16, 16 clients at once, 1,920 answers a model,
samples and random weights of the Nano shape: 1e-6 in FP32 (the client's own rounding of scores),
8e-4 in BF16 and 9e-4 in INT8, no decision changed; without load equal requests gave equal answers,
bit for bit. The rest is room for deeper models and for GPUs, whose kernels change with the shape.
"""

_COMPARED_LABELS = 2


@dataclass(frozen=True, slots=True)
class Comparison(Generic[_C, _A]):
    """A task's client, and the comparison of two of its answers.

    Attributes:
        client: the task's client.
        ask: returns the answer to one row.
        equal: tells whether an answer under load is the solo answer, within a tolerance.
    """

    client: type[_C]
    ask: Callable[[_C, TextRow], _A]
    equal: Callable[[_A, _A, float], bool]


def same_label(solo: Classification, loaded: Classification, tolerance: float) -> bool:
    """Accept the same label with the same score; another label where the solo answer ties."""
    best, other = solo.best, loaded.best
    if best.id == other.id:
        return _close(best.score, other.score, tolerance)
    second = next((label for label in solo.labels if label.id == other.id), None)
    return second is not None and best.score - second.score <= 2 * tolerance


def same_labels(solo: LabelSet, loaded: LabelSet, tolerance: float) -> bool:
    """Accept the same scores; labels may differ where a score crossed its threshold."""
    ones = {label.id: label.score for label in solo.likeliest}
    twos = {label.id: label.score for label in loaded.likeliest}
    if ones.keys() != twos.keys():
        return False
    if not all(_close(ones[label], twos[label], tolerance) for label in ones):
        return False
    selected = {label.id for label in solo.labels} ^ {label.id for label in loaded.labels}
    return all(ones[label] != twos[label] for label in selected)


def same_score(solo: Score, loaded: Score, tolerance: float) -> bool:
    """Accept the same number, relative to its size where that is above 1."""
    return _close(solo.value, loaded.value, tolerance * max(1.0, abs(solo.value)))


def same_ranking(solo: Ranking, loaded: Ranking, tolerance: float) -> bool:
    """Accept the same scores; two documents may change places where their solo scores tie."""
    ones = {one.index: one.score for one in solo}
    twos = {one.index: one.score for one in loaded}
    if ones.keys() != twos.keys():
        return False
    return all(
        _close(ones[index], twos[index], tolerance * max(1.0, abs(ones[index]))) for index in ones
    )


def same_choice(solo: ChosenOption, loaded: ChosenOption, tolerance: float) -> bool:
    """Accept the same probabilities; the choice may differ where the best two tie."""
    ones, twos = solo.probabilities, loaded.probabilities
    return len(ones) == len(twos) and all(map(partial(_close, tolerance=tolerance), ones, twos))


def same_fills(solo: FilledText, loaded: FilledText, tolerance: float) -> bool:
    """Accept the same tokens with the same probabilities; others where the solo answer ties."""
    if len(solo.masks) != len(loaded.masks):
        return False
    for ones, twos in zip(solo.masks, loaded.masks, strict=True):
        known = {one.token_id: one.probability for one in ones}
        least = min(known.values())
        for two in twos:
            if not _close(known.get(two.token_id, least), two.probability, tolerance):
                return False
    return True


def same_entities(solo: tuple[Entity, ...], loaded: tuple[Entity, ...], tolerance: float) -> bool:
    """Accept the same entities with the same scores; those of one answer alone must be unsure.

    Where two labels of a character tie, neither has more than half of the probability. So an entity
    of one answer alone may have a score of one half at most.
    """
    twos = {(one.label, one.start, one.end): one.score for one in loaded}
    ones = {(one.label, one.start, one.end): one.score for one in solo}
    only = [score for key, score in (ones | twos).items() if (key in ones) != (key in twos)]
    both = ones.keys() & twos.keys()
    return all(_close(ones[key], twos[key], tolerance) for key in both) and all(
        score <= 0.5 + tolerance for score in only
    )


def same_answer(solo: Answer, loaded: Answer, tolerance: float) -> bool:
    """Accept the same characters with the same score; others where the solo candidates tie."""
    if (solo.start, solo.end) == (loaded.start, loaded.end):
        return _close(solo.score, loaded.score, tolerance)
    other = next(
        (one for one in solo.candidates if (one.start, one.end) == (loaded.start, loaded.end)), None
    )
    return other is not None and abs(solo.score - other.score) <= 2 * tolerance


def same_extraction(solo: Extraction, loaded: Extraction, tolerance: float) -> bool:
    """Accept the same spans under the same names, to any depth, with the same probabilities."""
    return solo.keys() == loaded.keys() and all(
        len(solo[name]) == len(loaded[name])
        and all(
            (one.start, one.end, one.text) == (other.start, other.end, other.text)
            and _close(one.probability, other.probability, tolerance)
            and same_extraction(one.relations, other.relations, tolerance)
            for one, other in zip(solo[name], loaded[name], strict=True)
        )
        for name in solo
    )


def same_vector(solo: Float32, loaded: Float32, tolerance: float) -> bool:
    """Accept vectors whose parts are all the same."""
    return solo.shape == loaded.shape and bool(np.abs(solo - loaded).max(initial=0.0) <= tolerance)


def same_weights(solo: SparseVector, loaded: SparseVector, tolerance: float) -> bool:
    """Accept the same weights; a token of one answer alone must have next to none."""
    ones, twos = (
        dict(zip(*(v.indices.tolist(), v.values.tolist()), strict=True)) for v in (solo, loaded)
    )
    return all(_close(ones.get(i, 0.0), twos.get(i, 0.0), tolerance) for i in ones | twos)


def comparison_of(task: Task) -> Comparison[Any, Any]:
    """Return the client and the comparison of a task."""
    return _COMPARISONS[task.name]


def _close(one: float, other: float, tolerance: float) -> bool:
    return abs(one - other) <= tolerance


def _columns(row: TextRow) -> Sequence[list[str]]:
    return [[text] for text in row]


def _classified(client: SeqClsClient, row: TextRow) -> Classification:
    return client.classify(*_columns(row), top_k=_COMPARED_LABELS)[0]


def _selected(client: MultiLabelClient, row: TextRow) -> LabelSet:
    # All labels: this is more than any model has.
    return client.classify(*_columns(row), top_k=1_000_000)[0]


def _scored(client: RegressionClient, row: TextRow) -> Score:
    return client.score(*_columns(row))[0]


def _ranked(client: RerankClient, row: TextRow) -> Ranking:
    return client.rank(row[0], row[1:])


def _chosen(client: ChoiceClient, row: TextRow) -> ChosenOption:
    return client.choose(row[0], row[1], row[2:])


def _entities(client: TokenClsClient, row: TextRow) -> tuple[Entity, ...]:
    return client.entities(*_columns(row))[0]


def _answered(client: QaClient, row: TextRow) -> Answer:
    return client.answer(*_columns(row))[0]


def _extracted(client: ExtractionClient, row: TextRow) -> Extraction:
    text, given = row
    try:
        schema = json.loads(given)
    except json.JSONDecodeError:
        schema = given  # a name to find
    return client.extract([text], schema)[0]


def _filled(client: ClozeClient, row: TextRow) -> FilledText:
    return client.fill(row[:1])[0]


def _weighed(client: SparseClient, row: TextRow) -> SparseVector:
    return client.weigh(*_columns(row))[0]


def _token_vectors(client: ColbertClient, row: TextRow) -> Float32:
    return np.asarray(client.embed(*_columns(row))[0].vectors, dtype=np.float32)


def _embedded(client: EmbeddingClient, row: TextRow) -> Float32:
    vectors = client.embed(*_columns(row))
    return np.asarray(vectors[0], dtype=np.float32)


_COMPARISONS: Mapping[str, Comparison[Any, Any]] = {
    "seq_cls": Comparison(SeqClsClient, _classified, same_label),
    "multi_label": Comparison(MultiLabelClient, _selected, same_labels),
    "regression": Comparison(RegressionClient, _scored, same_score),
    "rerank": Comparison(RerankClient, _ranked, same_ranking),
    "choice": Comparison(ChoiceClient, _chosen, same_choice),
    "token_cls": Comparison(TokenClsClient, _entities, same_entities),
    "qa": Comparison(QaClient, _answered, same_answer),
    "extraction": Comparison(ExtractionClient, _extracted, same_extraction),
    "cloze": Comparison(ClozeClient, _filled, same_fills),
    "sparse": Comparison(SparseClient, _weighed, same_weights),
    "colbert": Comparison(ColbertClient, _token_vectors, same_vector),
    "embedding": Comparison(EmbeddingClient, _embedded, same_vector),
}
