"""Engine outputs to answers: last of the three stages. Pure NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ernie_triton.errors import LabelCountError

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScores:
    """The decision for each text of a batch.

    Attributes:
        label: int64 [batch], index of the likeliest label.
        confidence: float32 [batch], its probability.
        scores: float32 [batch, labels], every label's probability; rows sum to 1.
    """

    label: npt.NDArray[np.int64]
    confidence: Scores
    scores: Scores


def softmax(logits: Scores) -> Scores:
    """Probabilities along the last axis, as float32 of the same shape.

    The largest logit is subtracted first, so that no finite input overflows.
    """
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float32)


def score_labels(logits: Scores) -> LabelScores:
    """Choose the likeliest label of each text.

    Args:
        logits: float32 [batch, labels], unnormalised.
    """
    scores = softmax(logits)
    label = scores.argmax(axis=-1)
    return LabelScores(
        label=label.astype(np.int64), confidence=scores[np.arange(len(label)), label], scores=scores
    )


def load_labels(path: Path) -> list[str]:
    """Read label names, one a line, in the order of the classifier's output units.

    Raises:
        LabelCountError: the file does not hold distinct names.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabelCountError(f"the labels {path} cannot be read: {error}") from error
    return check_labels(lines, str(path))


def check_labels(labels: object, where: str) -> list[str]:
    """The label names, when they are a list of distinct, non-empty strings.

    Raises:
        LabelCountError: they are not.
    """
    if not isinstance(labels, list) or not all(isinstance(name, str) and name for name in labels):
        raise LabelCountError(f"{where} holds {labels!r}; expected a list of label names")
    if any(len(name.splitlines()) != 1 for name in labels):
        raise LabelCountError(f"{where} has a label name of several lines")
    if len(set(labels)) != len(labels):
        twice = sorted({name for name in labels if labels.count(name) > 1})
        raise LabelCountError(f"{where} names {', '.join(twice)} more than once")
    return labels


def check_label_count(labels: Sequence[str], scores: int, what: str) -> None:
    """Refuse label names that do not match the scores one to one.

    Raises:
        LabelCountError: they do not.
    """
    if len(labels) != scores:
        raise LabelCountError(
            f"{what} returns {scores} scores but there are {len(labels)} label names "
            f"({', '.join(labels[:3])}, …); name the labels of the checkpoint that was exported"
        )
