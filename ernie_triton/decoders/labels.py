"""Scores of whole texts to labels: one of several, several of them, or a single number."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ernie_triton.arrays import Array, Float32, Int64, Tensors
from ernie_triton.batch import split_rows
from ernie_triton.errors import LabelCountError, TextFileError
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import MULTI_LABEL, REGRESSION, SEQ_CLS
from ernie_triton.text_files import lines_of, read_text_file

LABELS_FILE = "labels.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScores:
    """The decision for each text of a batch.

    Attributes:
        label: int64 [batch], index of the likeliest label.
        confidence: float32 [batch], its probability.
        scores: float32 [batch, labels], every label's probability; rows sum to 1.
    """

    label: Int64
    confidence: Float32
    scores: Float32


def softmax(logits: Float32) -> Float32:
    """Probabilities along the last axis, as float32 of the same shape.

    The largest logit is subtracted first, so that no finite input overflows.
    """
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float32)


def score_labels(
    logits: Float32, probabilities: Callable[[Float32], Float32] = softmax
) -> LabelScores:
    """Choose the likeliest label of each text.

    Args:
        logits: float32 [batch, labels], unnormalised.
        probabilities: the function from logits to scores.
    """
    scores = probabilities(logits)
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
        lines = lines_of(read_text_file(path))
    except TextFileError as error:
        raise LabelCountError(f"the label file {error}") from error
    return check_labels(lines, str(path))


def check_labels(labels: object, where: str) -> list[str]:
    """Check that label names are a list of distinct, non-empty strings, and return them.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSettings(StageSettings):
    """The postprocess stage's parameters; `labels` is how many scores the engine gives.

    `thresholds` are the labels' own, or one for all; empty where one label is chosen. A
    regression's score goes through `activation`, one of `SCORE_ACTIVATIONS`.
    """

    task: str
    labels: int
    thresholds: tuple[float, ...]
    activation: str = "identity"


class LabelDecoder:
    """Decide the labels of all texts of a batch of requests at once."""

    inputs = tuple(tensor.name for tensor in SEQ_CLS.engine_outputs)

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:
        """Keep the label names.

        Raises:
            LabelCountError: they are not one for each score of the engine.
        """
        settings = LabelSettings.from_parameters(parameters)
        check_label_count(labels, settings.labels, "the engine")
        self._task = settings.task
        self._activation = settings.activation
        self._labels = labels
        self._names = np.array([name.encode("utf-8") for name in self._labels], dtype=np.object_)
        self._thresholds = np.array(settings.thresholds, np.float32)

    def read(self, tensors: Tensors) -> Float32:
        """Take the logits.

        Raises:
            LabelCountError: they are not one for each label.
        """
        (logits,) = tensors.values()
        check_label_count(self._labels, logits.shape[-1], "the engine")
        return logits

    def run(self, items: Sequence[Float32]) -> list[dict[str, Array]]:
        """Score the labels; the columns of single values are [rows, 1]."""
        answers = self._answers(np.concatenate(items))
        return split_rows(answers, [len(logits) for logits in items])

    def _answers(self, logits: Float32) -> dict[str, Array]:
        if self._task == REGRESSION.name:
            return {"score": sigmoid(logits) if self._activation == "sigmoid" else logits}
        multi_label = self._task == MULTI_LABEL.name
        decided = score_labels(logits, sigmoid if multi_label else softmax)
        answers: dict[str, Array] = {
            "label": decided.label[:, None],
            "confidence": decided.confidence[:, None],
            "label_name": self._names[decided.label][:, None],
            "scores": decided.scores,
        }
        if multi_label:
            answers["selected"] = decided.scores >= self._thresholds
        return answers


def sigmoid(logits: Float32) -> Float32:
    """Independent probabilities, float32 of the same shape; no finite input overflows."""
    half = np.tanh(logits * np.float32(0.5)) * np.float32(0.5)
    return np.asarray(half + np.float32(0.5), dtype=np.float32)
