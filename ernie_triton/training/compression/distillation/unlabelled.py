"""Further texts without labels: a teacher can teach on any text of the kind that will be served."""

from dataclasses import replace
from pathlib import Path

from ernie_triton.errors import DatasetError
from ernie_triton.tasks import MULTI_LABEL, QA, REGRESSION, SEQ_CLS
from ernie_triton.training.datasets import AnswerSpan, DataSet, LabelledText, Target


def with_texts(data: DataSet, path: Path | None) -> DataSet:
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
    return replace(data, train=(*data.train, *further))


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
