"""How two columns of numbers go together: correlations, and the threshold that parts them best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float64


def pearson(one: Float64, two: Float64) -> float:
    """Pearson's correlation of two [n] arrays; 0 where it is undefined (a constant, or n < 2)."""
    if len(one) < 2 or one.min() == one.max() or two.min() == two.max():
        return 0.0
    deviations, others = one - one.mean(), two - two.mean()
    product = float(deviations @ others)
    return float(np.clip(product / np.linalg.norm(deviations) / np.linalg.norm(others), -1, 1))


def spearman(one: Float64, two: Float64) -> float:
    """Spearman's correlation: Pearson's of the ranks, equal values sharing their mean rank."""
    return pearson(_ranks(one), _ranks(two))


def best_threshold(labels: npt.NDArray[np.bool_], scores: Float64) -> tuple[float, float]:
    """The threshold that parts true from false best, and the share of lines it has right.

    A line is called true where its score is at least the threshold. That lies halfway between two
    neighbouring scores, or beside them all; the lowest of equally good ones is taken.
    """
    if not len(scores):
        return 0.0, 0.0
    order = np.argsort(scores, kind="stable")
    labels, scores = labels[order], scores[order]
    # Place k: the k lowest scores are called false.
    false_below = np.concatenate([[0], np.cumsum(~labels)])
    true_above = labels.sum() - np.concatenate([[0], np.cumsum(labels)])
    right = false_below + true_above
    # Equal scores cannot be parted.
    right[1:-1][scores[1:] == scores[:-1]] = -1
    place = int(right.argmax())
    return _threshold_at(scores, place), float(right[place] / len(scores))


def _threshold_at(scores: Float64, place: int) -> float:
    """A number above the `place` lowest of the sorted scores, and at most the next."""
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
