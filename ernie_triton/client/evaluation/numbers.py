"""How good a model of scores or vectors is on pairs with a gold number each.

The memory is 16 bytes for each line, since correlations need all values.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from ernie_triton.arrays import Float64
from ernie_triton.client.embedding import Similarity
from ernie_triton.client.evaluation.correlation import best_threshold, pearson, spearman
from ernie_triton.client.evaluation.gold import gold_number
from ernie_triton.client.evaluation.report import figure_lines
from ernie_triton.client.items import Item
from ernie_triton.client.regression import Score


class _Columns:
    """Gold numbers and results of the lines added."""

    def __init__(self) -> None:
        self._golds = array("d")
        self._results = array("d")

    def append(self, gold: float, result: float) -> None:
        self._golds.append(gold)
        self._results.append(result)

    def arrays(self) -> tuple[Float64, Float64]:
        return np.array(self._golds), np.array(self._results)


class RegressionScorer:
    """Pearson's and Spearman's correlation of the score with the gold `score` or `label`."""

    def __init__(self) -> None:
        self._columns = _Columns()

    def add(self, item: Item, result: Score) -> None:
        """Count one line.

        Raises:
            DatasetError: it has no gold number.
        """
        self._columns.append(gold_number(item, ("score", "label")), result.value)

    def lines(self) -> list[str]:
        """The report for a reader."""
        golds, results = self._columns.arrays()
        return figure_lines(
            {
                "lines": len(golds),
                "Pearson": pearson(golds, results),
                "Spearman": spearman(golds, results),
            }
        )

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        golds, results = self._columns.arrays()
        return {
            "lines": len(golds),
            "pearson": pearson(golds, results),
            "spearman": spearman(golds, results),
        }


class SimilarityScorer:
    """Spearman's correlation of the cosine with the gold `label` or `score`.

    Where all gold labels are 0 or 1 also the accuracy of calling pairs alike from the best
    threshold on; that is chosen on the very lines it is measured on, so it flatters.
    """

    def __init__(self) -> None:
        self._columns = _Columns()

    def add(self, item: Item, result: Similarity) -> None:
        """Count one line.

        Raises:
            DatasetError: it has no gold number.
        """
        self._columns.append(gold_number(item, ("label", "score")), result.cosine)

    def lines(self) -> list[str]:
        """The report for a reader."""
        golds, cosines = self._columns.arrays()
        lines = figure_lines({"lines": len(golds), "Spearman": spearman(golds, cosines)})
        if _is_binary(golds):
            threshold, accuracy = best_threshold(golds == 1, cosines)
            lines.append(
                f"accuracy  {accuracy:.4f} with the best threshold, {threshold:.4f}, "
                "chosen on this file"
            )
        return lines

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        golds, cosines = self._columns.arrays()
        scores: dict[str, object] = {"lines": len(golds), "spearman": spearman(golds, cosines)}
        if _is_binary(golds):
            scores["best_threshold"], scores["best_accuracy"] = best_threshold(golds == 1, cosines)
        return scores


def _is_binary(golds: Float64) -> bool:
    return bool(len(golds) and np.isin(golds, (0, 1)).all())
