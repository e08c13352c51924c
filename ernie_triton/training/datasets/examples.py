"""Labelled texts, and the data set that they form."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ernie_triton.errors import DatasetError, TextFileError
from ernie_triton.tasks import EXTRACTION, MULTI_LABEL, QA, REGRESSION, SEQ_CLS
from ernie_triton.text_files import lines_of, read_text_file


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSpan:
    """The answers to a question.

    Attributes:
        texts: all correct answers; none if the context has no answer.
        start: first character of the first answer in the context; -1 if there is none.
    """

    texts: tuple[str, ...]
    start: int

    @property
    def text(self) -> str:
        """Return the first answer, the one to train on; empty if there is none."""
        return self.texts[0] if self.texts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptAnswers:
    """The answers to a prompt in a text: none, spans, or options of its own.

    Attributes:
        prompt: the prompt.
        spans: characters of the text, the ends excluded.
        options: texts that stand in the prompt.
    """

    prompt: str
    spans: tuple[tuple[int, int], ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """The things to find in a text.

    Attributes:
        record: the object that the clients' scorer reads, with the text in it.
        prompts: the prompts to train on.
    """

    record: Mapping[str, object]
    prompts: tuple[PromptAnswers, ...]


Target: TypeAlias = int | float | tuple[int, ...] | tuple[str, ...] | AnswerSpan | Extracted
"""By task: the label's id (seq_cls), the labels' ids (multi_label), the score (regression,
embedding), the right option's place (choice), the token for each mask (cloze), a label name for
each character (token_cls), the answers (qa), or what is to be found (extraction)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    """One example.

    Attributes:
        texts: one text, a pair, a question and its context, or a text and its schema, or a
            context, a question and its options, or a text with masks and what is asked of it.
        target: the right output.
        line: line number in its file, counted from 1.
    """

    texts: tuple[str, ...]
    target: Target
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A training and a development set.

    Attributes:
        name: name of its format (`tnews`, `cmrc2018`, …), which decides the recipe.
        task: a name of `ernie_triton.tasks.TASKS`.
        pair: the examples have two texts.
        labels: label names by their ids; empty for regression, qa and extraction.
        train: examples to train on, in the file's order.
        dev: examples to evaluate on.
        train_path: file of `train`.
        dev_path: file of `dev`.
        notes: sentences on lines that a rule of the format left out or corrected.
        is_plain: the clients' `--evaluate` and `build --data` read `dev_path` as it is.
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
        """Names of a model's scores: the labels, `score` for regression, none for qa."""
        return ("score",) if self.task == REGRESSION.name else self.labels


def with_unlabelled(data: DataSet, path: Path | None) -> DataSet:
    """Add the texts of a file to the training examples, for distillation.

    Their targets mean nothing: train on a teacher's outputs for them.

    Args:
        data: the data set; its task decides how many texts an example has.
        path: UTF-8, one example per line, a tab between the two texts of a pair, or between a text
            and a name to find in it; None for no file.

    Raises:
        DatasetError: the file cannot be read, or a line has the wrong number of texts.
    """
    if path is None:
        return data
    try:
        lines = lines_of(read_text_file(path))
    except TextFileError as error:
        raise DatasetError(str(error)) from error
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
    """Return a target that the task can make into a row."""
    known: dict[str, Target] = {
        SEQ_CLS.name: 0,
        MULTI_LABEL.name: (),
        REGRESSION.name: 0.0,
        QA.name: AnswerSpan(texts=(), start=-1),
        EXTRACTION.name: Extracted(record={}, prompts=(PromptAnswers(prompt=text),)),
    }
    return known.get(data.task, data.labels[:1] * len(text))
