"""Questions with options, of which one is right: CLUE's C3 and CHID, and one's own.

The lines are those that the clients' scorer reads. A line may hold several questions.
"""

from pathlib import Path

from ernie_triton.client.evaluation.choices import GOLD, items_from_choices
from ernie_triton.errors import DatasetError
from ernie_triton.tasks import CHOICE
from ernie_triton.training.datasets.examples import DataSet, LabelledText

CHOICE_FORMATS = ("options", "c3", "chid")


def read_choices(folder: Path, dataset: str, train_path: Path, dev_path: Path) -> DataSet:  # noqa: ARG001
    """Read the questions of two files.

    Args:
        folder: of the data set.
        dataset: one of `CHOICE_FORMATS`; empty to recognise it.
        train_path: a document of C3, or JSON lines.
        dev_path: the same.

    Raises:
        DatasetError: a file cannot be read or is empty, or a line is wrong.
    """
    train, dev = (_questions(path) for path in (train_path, dev_path))
    return DataSet(
        name=dataset or _format_of(train_path),
        task=CHOICE.name,
        pair=True,
        labels=(),
        train=train,
        dev=dev,
        train_path=train_path,
        dev_path=dev_path,
    )


def _questions(path: Path) -> tuple[LabelledText, ...]:
    try:
        items = tuple(items_from_choices(path.read_bytes().splitlines()))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    for item in items:
        if item.error:
            raise DatasetError(f"{path}:{item.line}: {item.error}")
    if not items:
        raise DatasetError(f"{path} has no questions; expected lines with context and options")
    return tuple(
        LabelledText(texts=item.texts, target=int(str(item.record[GOLD])), line=item.line)
        for item in items
    )


def _format_of(path: Path) -> str:
    first = path.read_bytes().removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0]
    if first.startswith(b"["):
        return "c3"
    return "chid" if b'"candidates"' in first else "options"
