"""Metrics computed a second time, apart from `ernie_triton.client.evaluation`.

NumPy and the standard library alone; no code is shared with what these metrics check.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
LabelledSpan = tuple[str, int, int]
"""The kind, and the indices of the first and the last label, both included."""

_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_SEGMENT = re.compile(r"[\u4e00-\u9fa5]|[^\W\u4e00-\u9fa5]+(?:[.,][^\W\u4e00-\u9fa5]+)*|\S")


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
    wanted: Sequence[Sequence[LabelledSpan]], given: Sequence[Sequence[LabelledSpan]]
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


def entities_of(labels: Sequence[str]) -> list[LabelledSpan]:
    """The entities of a row of labels; an `I-` without its `B-` opens one."""
    entities: list[LabelledSpan] = []
    kind_before = ""
    for index, label in enumerate(labels):
        prefix, _, kind = label.partition("-")
        if prefix == "O":
            kind_before = ""
            continue
        if prefix == "I" and kind == kind_before:
            _, first, _ = entities.pop()
        else:
            first = index
        entities.append((kind, first, index))
        kind_before = kind
    return entities


def exact_match(wanted: str, given: str) -> float:
    """1.0 where both texts are equal apart from case and punctuation, else 0.0."""
    if not (wanted and given):
        return float(wanted == given)
    return float(_without_punctuation(wanted) == _without_punctuation(given))


def overlap_f1(wanted: str, given: str) -> float:
    """F1 of the longest common run against both texts, between 0 and 1."""
    if not (wanted and given):
        return float(wanted == given)
    wanted_segments = _SEGMENT.findall(_without_punctuation(wanted))
    given_segments = _SEGMENT.findall(_without_punctuation(given))
    run = _longest_common_run(wanted_segments, given_segments)
    return 2 * run / max(1, len(wanted_segments) + len(given_segments))


def _without_punctuation(text: str) -> str:
    return "".join(char for char in text.lower().strip() if char not in _PUNCTUATION)


def _longest_common_run(first: Sequence[str], second: Sequence[str]) -> int:
    longest = 0
    lengths = [0] * (len(second) + 1)
    for segment in first:
        lengths = [0] + [
            lengths[i] + 1 if segment == other else 0 for i, other in enumerate(second)
        ]
        longest = max(longest, *lengths)
    return longest


def _ranks(values: Values) -> Values:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Values = (last - (counts - 1) / 2)[places]
    return ranks
