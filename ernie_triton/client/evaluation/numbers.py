"""Score numbers on pairs of texts with a gold number each: correlations, and the best threshold.

A scorer keeps 16 bytes for each line, since correlations need all values.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

import numpy as np

from ernie_triton.arrays import Bool, Float64
from ernie_triton.client.evaluation.report import figure_lines
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.embedding import Similarity
from ernie_triton.client.tasks.regression import Score
from ernie_triton.errors import DatasetError


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
        self._columns.append(_gold_number(item, ("score", "label")), result.value)

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

    Where all gold labels are 0 or 1, also the accuracy with the best threshold. That threshold is
    chosen on the lines it is measured on, so the accuracy is too high for new lines.
    """

    def __init__(self) -> None:
        self._columns = _Columns()

    def add(self, item: Item, result: Similarity) -> None:
        """Count one line.

        Raises:
            DatasetError: it has no gold number.
        """
        self._columns.append(_gold_number(item, ("label", "score")), result.cosine)

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


def pearson(one: Float64, two: Float64) -> float:
    """Pearson's correlation of two [n] arrays; 0 where it is undefined (a constant, or n < 2)."""
    if len(one) < 2 or one.min() == one.max() or two.min() == two.max():
        return 0.0
    deviations, others = one - one.mean(), two - two.mean()
    product = float(deviations @ others)
    return float(np.clip(product / np.linalg.norm(deviations) / np.linalg.norm(others), -1, 1))


def spearman(one: Float64, two: Float64) -> float:
    """Spearman's correlation: Pearson's of the ranks; equal values share their mean rank."""
    return pearson(_ranks(one), _ranks(two))


def best_threshold(labels: Bool, scores: Float64) -> tuple[float, float]:
    """The threshold that separates true from false best, and its accuracy.

    A score at or above the threshold means true. The threshold lies halfway between two
    neighbouring scores, or outside all of them. Of equally good thresholds the lowest is taken.
    """
    if not len(scores):
        return 0.0, 0.0
    order = np.argsort(scores, kind="stable")
    labels, scores = labels[order], scores[order]
    # Place k: the k lowest scores are called false.
    false_below = np.concatenate([[0], np.cumsum(~labels)])
    true_above = labels.sum() - np.concatenate([[0], np.cumsum(labels)])
    right = false_below + true_above
    # No threshold separates equal scores.
    right[1:-1][scores[1:] == scores[:-1]] = -1
    place = int(right.argmax())
    return _threshold_at(scores, place), float(right[place] / len(scores))


def _is_binary(golds: Float64) -> bool:
    return bool(len(golds) and np.isin(golds, (0, 1)).all())


def _gold_number(item: Item, keys: Sequence[str]) -> float:
    """The finite number, or number in a string, under the first of the keys that the item has.

    Raises:
        DatasetError: there is none.
    """
    key = next((key for key in keys if key in item.record), None)
    if key is None:
        raise DatasetError(
            f"{item.place}: no {' or '.join(keys)}; evaluate on a labelled split (train or dev)"
        )
    value = item.record[key]
    try:
        number = float(value) if isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise DatasetError(f"{item.place}: {key} is {value!r:.40}, expected a number")
    return number


def _threshold_at(scores: Float64, place: int) -> float:
    """A number above the `place` lowest sorted scores, and at most the next score."""
    if place == 0:
        return float(scores[0])
    if place == len(scores):
        return float(np.nextafter(scores[-1], np.inf))
    low, high = float(scores[place - 1]), float(scores[place])
    middle = low + (high - low) / 2
    return middle if low < middle else high


def _ranks(values: Float64) -> Float64:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Float64 = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks
