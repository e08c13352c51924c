"""What is read: labelled texts, and the data set that they make."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ernie_triton.errors import DatasetError
from ernie_triton.tasks import MULTI_LABEL, QA, REGRESSION, SEQ_CLS


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


def with_unlabelled(data: DataSet, path: Path | None) -> DataSet:
    """The data set with the texts of a file beside its own examples.

    Their targets are of no meaning: only what a teacher says of them may be learned.

    Args:
        data: whose task says how many texts an example has.
        path: UTF-8, one example a line, a tab between the two texts of a pair; None for none.

    Raises:
        DatasetError: the file cannot be read, or a line has no text, or too many or too few.
    """
    if path is None:
        return data
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as UTF-8 text: {error}") from error
    further = [_example(data, path, number, line) for number, line in enumerate(lines, start=1)]
    if not further:
        raise DatasetError(f"{path} has no lines; expected a text on each")
    return dataclasses.replace(data, train=(*data.train, *further))


def _example(data: DataSet, path: Path, number: int, line: str) -> LabelledText:
    texts, expected = tuple(line.split("\t")), 2 if data.pair else 1
    if len(texts) != expected or not all(text.strip() for text in texts):
        wanted = "two texts with a tab between" if data.pair else "one text without tabs"
        raise DatasetError(f"{path}:{number}: found {line!r}; expected {wanted}")
    return LabelledText(texts=texts, target=_target(data, texts[-1]), line=number)


def _target(data: DataSet, text: str) -> Target:
    """Anything that a task of the task can make into a row."""
    known: dict[str, Target] = {
        SEQ_CLS.name: 0,
        MULTI_LABEL.name: (),
        REGRESSION.name: 0.0,
        QA.name: AnswerSpan(texts=(), start=-1),
    }
    return known.get(data.task, data.labels[:1] * len(text))
