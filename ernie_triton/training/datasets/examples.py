"""What is read: labelled texts, and the data set that they make."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ernie_triton.tasks import REGRESSION


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSpan:
    """The answers to a question.

    Attributes:
        texts: all that count as right; none where the context has no answer.
        start: the first character in the context of the first of them, -1 where there is none.
    """

    texts: tuple[str, ...]
    start: int

    @property
    def text(self) -> str:
        """The first answer, which is learned; empty where there is none."""
        return self.texts[0] if self.texts else ""


Target: TypeAlias = int | float | tuple[int, ...] | tuple[str, ...] | AnswerSpan
"""By task: seq_cls the label's id, multi_label the labels' ids, regression the number, token_cls a
label name for each character, qa the answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    """One example.

    Attributes:
        texts: one, or a pair; of a question the question and its context.
        target: what the model is to answer.
        line: where it stands in its file, counted from 1.
    """

    texts: tuple[str, ...]
    target: Target
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A training and a development set.

    Attributes:
        name: of its format (`tnews`, `cmrc2018`, …), which decides the recipe.
        task: one of `ernie_triton.tasks.TASKS`.
        pair: the examples have two texts.
        labels: names in the order of their ids; empty for regression and qa.
        train: the examples to learn from, in the file's order.
        dev: those to measure on.
        train_path: where the first come from.
        dev_path: where the second come from.
        notes: what a rule of the format left out or mended, a sentence each.
        is_plain: the clients' `--evaluate` and `build --data` read the file of the second as it is.
    """

    name: str
    task: str
    pair: bool
    labels: tuple[str, ...]
    train: tuple[LabelledText, ...]
    dev: tuple[LabelledText, ...]
    train_path: Path
    dev_path: Path
    notes: tuple[str, ...] = ()
    is_plain: bool = True

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a model's scores are called: its labels, one name for regression, none for qa."""
        return ("score",) if self.task == REGRESSION.name else self.labels
