"""The tasks' metrics, in NumPy alone: shares and correlations of what was wanted and given."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from samples.entities import Entity

Ids = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def accuracy(wanted: Ids, given: Ids) -> float:
    """The share of equal entries of two [lines] arrays."""
    return float((wanted == given).mean())


def macro_f1(wanted: Ids, given: Ids) -> float:
    """The plain mean of 2TP / (2TP + FP + FN) over the label ids that occur in either array."""
    scores = []
    for label in np.union1d(wanted, given):
        hits = int(((wanted == label) & (given == label)).sum())
        scores.append(2 * hits / int((wanted == label).sum() + (given == label).sum()))
    return float(np.mean(scores))


def multi_label_f1(wanted: Flags, given: Flags) -> dict[str, float]:
    """Micro-F1, macro-F1 and exact matches of two [lines, labels] arrays.

    A label that neither array has anywhere counts 0 in macro-F1, as scikit-learn counts it.
    """
    hits = (wanted & given).sum(0)
    totals = wanted.sum(0) + given.sum(0)
    each = np.divide(2.0 * hits, totals, out=np.zeros(len(hits)), where=totals > 0)
    return {
        "micro_f1": float(2 * hits.sum() / max(1, totals.sum())),
        "macro_f1": float(each.mean()),
        "exact": float((wanted == given).all(1).mean()),
    }


def entity_f1(
    wanted: Sequence[Sequence[Entity]], given: Sequence[Sequence[Entity]]
) -> dict[str, float]:
    """Precision, recall and F1 over the entities of all texts together."""
    hits = sum(len(set(w) & set(g)) for w, g in zip(wanted, given, strict=True))
    wanted_count = sum(map(len, wanted))
    given_count = sum(map(len, given))
    return {
        "precision": hits / max(1, given_count),
        "recall": hits / max(1, wanted_count),
        "f1": 2 * hits / max(1, given_count + wanted_count),
    }


def pearson(first: Values, second: Values) -> float:
    """Pearson's correlation of two [lines] arrays; 0 where one of them is constant."""
    if not (first.std() and second.std()):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def spearman(first: Values, second: Values) -> float:
    """Spearman's correlation: Pearson's of the ranks, equal values sharing their mean rank."""
    return pearson(_ranks(first), _ranks(second))


def best_threshold(labels: Flags, scores: Values) -> float:
    """The middle between two neighbouring scores that parts true from false lines best."""
    order = np.argsort(scores)
    scores, labels = scores[order], labels[order]
    below = np.concatenate([[0], np.cumsum(~labels)])
    above = np.concatenate([np.cumsum(labels[::-1])[::-1], [0]])
    place = int(np.argmax(below + above))
    lower, upper = scores[max(0, place - 1)], scores[min(place, len(scores) - 1)]
    return float((lower + upper) / 2)


def _ranks(values: Values) -> Values:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Values = (last - (counts - 1) / 2)[places]
    return ranks
