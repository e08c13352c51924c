"""Score rankings on queries whose documents are known to fit or not: MRR, NDCG and MAP.

The figures are those of sentence-transformers' `CrossEncoderRerankingEvaluator` on the documents
given: MRR and NDCG look at the first places only, MAP at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from ernie_triton.client.evaluation.report import figure_lines
from ernie_triton.client.items import Item, items_from_objects
from ernie_triton.client.tasks.rerank import Ranking

DEFAULT_DEPTH = 10
_POSITIVES = ("positives", "positive", "pos")
_NEGATIVES = ("negatives", "negative", "neg")


def items_from_rankings(lines: Iterable[bytes]) -> Iterable[Item]:
    """One item for each line with a query, its fitting documents, and others.

    The keys are `query`, `positives` and `negatives`, or as sentence-transformers (`positive`) and
    FlagEmbedding (`pos`) name them.
    """
    return items_from_objects(lines, _item)


class RankScorer:
    """MRR and NDCG of the first places, and MAP, as means over queries."""

    def __init__(self, depth: int = DEFAULT_DEPTH) -> None:
        """Count nothing yet; MRR and NDCG look at the first `depth` places."""
        self._depth = depth
        self._queries = 0
        self._reciprocal = self._gain = self._precision = 0.0

    def add(self, item: Item, result: Ranking) -> None:
        """Count one query."""
        positives = len(_texts(item.record, _POSITIVES))
        places = [place for place, document in enumerate(result, 1) if document.index < positives]
        self._queries += 1
        if places[0] <= self._depth:
            self._reciprocal += 1 / places[0]
        ideal = sum(map(_discount, range(1, min(positives, self._depth) + 1)))
        self._gain += sum(_discount(place) for place in places if place <= self._depth) / ideal
        precisions = (found / place for found, place in enumerate(places, 1))
        self._precision += sum(precisions) / positives

    def lines(self) -> list[str]:
        """The report for a reader."""
        return figure_lines(
            {
                "queries": self._queries,
                f"MRR@{self._depth}": self._mean(self._reciprocal),
                f"NDCG@{self._depth}": self._mean(self._gain),
                "MAP": self._mean(self._precision),
            }
        )

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        return {
            "queries": self._queries,
            "at": self._depth,
            "mrr": self._mean(self._reciprocal),
            "ndcg": self._mean(self._gain),
            "map": self._mean(self._precision),
        }

    def _mean(self, total: float) -> float:
        return total / self._queries if self._queries else 0.0


def _discount(place: int) -> float:
    return 1 / math.log2(place + 1)


def _item(line: int, record: dict[str, object]) -> Item:
    query, positives = record.get("query"), _texts(record, _POSITIVES)
    if not isinstance(query, str):
        found = ", ".join(record) or "no keys"
        return Item(line=line, error=f"the object has {found}, expected a string under query")
    if not positives:
        return Item(line=line, error="positives is no list of texts with at least one")
    texts = (query, *positives, *_texts(record, _NEGATIVES))
    return Item(line=line, texts=texts, record=record)


def _texts(record: Mapping[str, object], keys: Sequence[str]) -> list[str]:
    """The list of texts under the first of the keys that is there; empty where it is none."""
    value = next((record[key] for key in keys if key in record), None)
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return []
    return texts
