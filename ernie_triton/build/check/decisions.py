"""Count the decisions on which two engines agree, by task, without labelled data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ernie_triton.tasks import Task

OutputRow = Mapping[str, npt.NDArray[np.float32]]
"""An engine's outputs for one text, by name; of each token without padding."""

SAME_VECTOR_COSINE = 0.99
"""The least cosine of two vectors of a text that count as the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The number of decisions compared, and of those that are the same."""

    same: int
    decisions: int

    @property
    def changed_share(self) -> float:
        """The part that is not the same, 0 to 1."""
        return 1.0 - self.same / self.decisions if self.decisions else 0.0


def agreement(
    task: Task,
    before: Sequence[OutputRow],
    after: Sequence[OutputRow],
    thresholds: Sequence[float] = (),
) -> Agreement:
    """Compare the decisions that follow from two engines' outputs on the same texts.

    A decision is, by task: the likeliest label of a text; all selected labels of a text; the label
    of a token; where an answer begins and where it ends; all positions where spans of a prompt
    begin, and all where they end; which of two texts has the higher score, for every pair of texts
    (regression, choice, and rerank with one label); or a vector, that of a token, or the weights of
    a text's tokens, the same from a cosine of `SAME_VECTOR_COSINE` on.

    Args:
        task: the task of both engines.
        before: one engine's outputs, a row for each text.
        after: the other's.
        thresholds: the probability from which each label is selected (multi_label).
    """
    if task.head in ("vector", "lexical"):
        name = task.engine_outputs[0].name
        return _counted([_same_vector(*pair) for pair in _pairs(before, after, name)])
    if task.head == "token_vector":
        pairs = _pairs(before, after, task.engine_outputs[0].name)
        rows = [row for one, two in pairs for row in zip(one, two, strict=True)]
        return _counted([_same_vector(*row) for row in rows])
    if task.head == "span":
        names = ("start_logits", "end_logits")
        return _counted(
            [
                one[name].argmax() == two[name].argmax()
                for one, two in zip(before, after, strict=True)
                for name in names
            ]
        )
    if task.head == "pointer":
        return _counted(
            [
                np.array_equal(one[output.name] > 0, two[output.name] > 0)
                for one, two in zip(before, after, strict=True)
                for output in task.engine_outputs
            ]
        )
    pairs = _pairs(before, after, "logits")
    if task.head == "token":
        same = [one.argmax(axis=-1) == two.argmax(axis=-1) for one, two in pairs]
        return _counted(np.concatenate(same).tolist() if same else [])
    if task.name == "multi_label":
        limits = _logits(thresholds)
        return _counted([np.array_equal(one >= limits, two >= limits) for one, two in pairs])
    if task.name in ("regression", "rerank", "choice") and all(one.size == 1 for one, _ in pairs):
        return _counted(_same_orders(pairs))
    return _counted([one.argmax() == two.argmax() for one, two in pairs])


def _pairs(
    before: Sequence[OutputRow], after: Sequence[OutputRow], name: str
) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    return [(one[name], two[name]) for one, two in zip(before, after, strict=True)]


def _counted(same: Sequence[object]) -> Agreement:
    return Agreement(same=sum(map(bool, same)), decisions=len(same))


def _same_vector(one: npt.NDArray[np.float32], two: npt.NDArray[np.float32]) -> bool:
    norms = float(np.linalg.norm(one) * np.linalg.norm(two))
    if not one.any() and not two.any():  # of a text whose tokens have no weight
        return True
    return norms > 0 and float(one @ two) / norms >= SAME_VECTOR_COSINE


def _same_orders(
    pairs: Sequence[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
) -> list[bool]:
    if not pairs:
        return []
    scores = np.array([[one.item(), two.item()] for one, two in pairs]).T
    first, second = np.triu_indices(scores.shape[1], k=1)
    orders = np.sign(scores[:, first] - scores[:, second])
    return list(map(bool, orders[0] == orders[1]))


def _logits(probabilities: Sequence[float]) -> npt.NDArray[np.float64]:
    values = np.asarray(probabilities, np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(values) - np.log1p(-values))
