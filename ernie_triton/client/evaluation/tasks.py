"""The evaluation of each task: its reader of labelled examples, codec, scorer and metric.

One table for every caller: the `--evaluate` of the command lines, the check of a build, the
development set of a training. A new task is a row of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from ernie_triton.client.core import Caller, Codec, Row, Send
from ernie_triton.client.evaluation.answers import AnswerScorer, items_from_squad
from ernie_triton.client.evaluation.choices import ChoiceScorer, items_from_choices
from ernie_triton.client.evaluation.cloze import ClozeScorer, items_from_cloze
from ernie_triton.client.evaluation.entities import EntityScorer, items_from_tokens
from ernie_triton.client.evaluation.extractions import ExtractionScorer, items_from_extractions
from ernie_triton.client.evaluation.labels import ClassificationScorer, MultiLabelScorer
from ernie_triton.client.evaluation.numbers import RegressionScorer, SimilarityScorer
from ernie_triton.client.evaluation.ranks import RankScorer, items_from_rankings
from ernie_triton.client.items import TEXT, TEXT_PAIR, Item, items_from_jsonl
from ernie_triton.client.tasks.choice import ChoiceCodec
from ernie_triton.client.tasks.cloze import ClozeCodec
from ernie_triton.client.tasks.colbert import interaction_rankings
from ernie_triton.client.tasks.embedding import similarity_outcomes
from ernie_triton.client.tasks.extraction import ExtractionCodec
from ernie_triton.client.tasks.multi_label import MultiLabelCodec
from ernie_triton.client.tasks.qa import QaCodec
from ernie_triton.client.tasks.regression import RegressionCodec
from ernie_triton.client.tasks.rerank import RerankCodec
from ernie_triton.client.tasks.seq_cls import SeqClsCodec, label_names
from ernie_triton.client.tasks.sparse import lexical_rankings
from ernie_triton.client.tasks.token_cls import EntityCodec
from ernie_triton.tasks import (
    CHOICE,
    CLOZE,
    COLBERT,
    EMBEDDING,
    EXTRACTION,
    MULTI_LABEL,
    QA,
    REGRESSION,
    RERANK,
    SEQ_CLS,
    SPARSE,
    TOKEN_CLS,
    Task,
)

_R_contra = TypeVar("_R_contra", contravariant=True)


class Scorer(Protocol[_R_contra]):
    """Compares results with gold labels, one example after the other."""

    def add(self, item: Item, result: _R_contra) -> None:
        """Count one example; raises `DatasetError` if its gold label cannot be used."""

    def lines(self) -> list[str]:
        """The report for a reader."""

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The one number that models of a task are compared by: the mean of its scorer's `figures`."""

    name: str
    figures: tuple[str, ...]

    def points(self, report: Mapping[str, Any]) -> float:
        """The metric times 100, from the scorer's report."""
        values = [float(report[name]) for name in self.figures]
        return 100.0 * sum(values) / len(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationMethod:
    """A task's way to compare results with labelled examples.

    Attributes:
        task: the task.
        metric: the number to compare models by.
        read: makes items of the lines of a file and the names of an example's texts.
        scorer: makes a scorer for the model's labels.
        codec: makes the codec that answers are read with, for the model's labels; None where
            an example's texts are compared by their vectors.
        compare: answers such examples.
        has_labels: the scorer and the codec need the model's labels.
    """

    task: Task
    metric: Metric
    read: Callable[[Iterable[bytes], Sequence[str]], Iterable[Item]]
    scorer: Callable[[Sequence[str]], Scorer[Any]]
    codec: Callable[[Sequence[str]], Codec[Any]] | None
    has_labels: bool = False
    compare: Callable[[Caller, Sequence[Row]], Awaitable[Any]] = similarity_outcomes

    @property
    def rows_per_example(self) -> int:
        """Rows that the model gets for one example."""
        return 1 if self.codec else 2

    async def texts(self, caller: Caller) -> tuple[str, ...]:
        """Names of an example's texts, in their order.

        Raises:
            ContractError: the model's inputs are those of another task.
        """
        inputs = await caller.input_names(self.task)
        return inputs if self.codec else (TEXT.input, TEXT_PAIR.input)

    async def labels(self, caller: Caller) -> tuple[str, ...]:
        """The model's labels in the order of their ids; none for a task without.

        Raises:
            ContractError: the model's config names no number of scores.
        """
        return await label_names(caller) if self.has_labels else ()

    def send(self, caller: Caller, labels: Sequence[str]) -> Send[Any]:
        """The function that answers a batch of examples."""
        if self.codec is None:
            return partial(self.compare, caller)
        return partial(caller.outcomes, codec=self.codec(labels))


def _read_clue(lines: Iterable[bytes], texts: Sequence[str]) -> Iterable[Item]:
    return items_from_jsonl(lines, texts, (TEXT, TEXT_PAIR))


_RANKING = Metric(name="NDCG@10", figures=("ndcg",))

_METHODS = (
    EvaluationMethod(
        task=SEQ_CLS,
        metric=Metric(name="accuracy", figures=("accuracy",)),
        read=_read_clue,
        scorer=ClassificationScorer,
        codec=lambda _: SeqClsCodec(),
        has_labels=True,
    ),
    EvaluationMethod(
        task=MULTI_LABEL,
        metric=Metric(name="micro-F1", figures=("micro_f1",)),
        read=_read_clue,
        scorer=MultiLabelScorer,
        codec=lambda labels: MultiLabelCodec(label_count=len(labels)),
        has_labels=True,
    ),
    EvaluationMethod(
        task=REGRESSION,
        metric=Metric(name="Spearman", figures=("spearman",)),
        read=_read_clue,
        scorer=lambda _: RegressionScorer(),
        codec=lambda _: RegressionCodec(),
    ),
    EvaluationMethod(
        task=RERANK,
        metric=_RANKING,
        read=lambda lines, _: items_from_rankings(lines),
        scorer=lambda _: RankScorer(),
        codec=lambda _: RerankCodec(),
    ),
    EvaluationMethod(
        task=CHOICE,
        metric=Metric(name="accuracy", figures=("accuracy",)),
        read=lambda lines, _: items_from_choices(lines),
        scorer=lambda _: ChoiceScorer(),
        codec=lambda _: ChoiceCodec(),
    ),
    EvaluationMethod(
        task=TOKEN_CLS,
        metric=Metric(name="entity F1", figures=("f1",)),
        read=lambda lines, _: items_from_tokens(lines),
        scorer=lambda _: EntityScorer(),
        codec=lambda _: EntityCodec(),
    ),
    EvaluationMethod(
        task=QA,
        # The average by which CMRC2018's authors rank (github.com/ymcui/cmrc2018).
        metric=Metric(name="mean of exact match and F1", figures=("exact_match", "f1")),
        read=lambda lines, _: items_from_squad(lines),
        scorer=lambda _: AnswerScorer(),
        codec=lambda _: QaCodec(),
    ),
    EvaluationMethod(
        task=EMBEDDING,
        metric=Metric(name="Spearman of cosines", figures=("spearman",)),
        read=_read_clue,
        scorer=lambda _: SimilarityScorer(),
        codec=None,
    ),
    EvaluationMethod(
        task=SPARSE,
        metric=_RANKING,
        read=lambda lines, _: items_from_rankings(lines),
        scorer=lambda _: RankScorer(),
        codec=None,
        compare=lexical_rankings,
    ),
    EvaluationMethod(
        task=COLBERT,
        metric=_RANKING,
        read=lambda lines, _: items_from_rankings(lines),
        scorer=lambda _: RankScorer(),
        codec=None,
        compare=interaction_rankings,
    ),
    EvaluationMethod(
        task=EXTRACTION,
        metric=Metric(name="span F1", figures=("f1",)),
        read=lambda lines, _: items_from_extractions(lines),
        scorer=lambda _: ExtractionScorer(),
        codec=lambda _: ExtractionCodec(),
    ),
    EvaluationMethod(
        task=CLOZE,
        metric=Metric(name="accuracy", figures=("accuracy",)),
        read=lambda lines, _: items_from_cloze(lines),
        scorer=lambda _: ClozeScorer(),
        codec=lambda _: ClozeCodec(),
    ),
)

EVALUATION_METHODS: Mapping[str, EvaluationMethod] = {
    method.task.name: method for method in _METHODS
}
