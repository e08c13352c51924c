"""Lines that the clients' scorers read: questions with options, and texts with masks.

Questions are CLUE's C3 and CHID, and one's own; a line may hold several.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from ernie_triton.client.evaluation.choices import GOLD, items_from_choices
from ernie_triton.client.evaluation.cloze import items_from_cloze
from ernie_triton.client.items import Item
from ernie_triton.errors import DatasetError
from ernie_triton.tasks import CHOICE, CLOZE, Task
from ernie_triton.training.datasets.examples import DataSet, LabelledText, Target

CHOICE_FORMATS = ("options", "c3", "chid")
CLOZE_FORMATS = ("masks",)


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
    return _data_set(
        dataset or _format_of(train_path),
        CHOICE,
        (train_path, dev_path),
        items_from_choices,
        lambda item: int(str(item.record[GOLD])),
    )


def read_masks(folder: Path, dataset: str, train_path: Path, dev_path: Path) -> DataSet:  # noqa: ARG001
    """Read the texts of two files, and the token in the place of each mask.

    Args:
        folder: of the data set.
        dataset: one of `CLOZE_FORMATS`, or empty.
        train_path: JSON lines.
        dev_path: the same.

    Raises:
        DatasetError: a file cannot be read or is empty, or a line is wrong.
    """
    name = dataset or CLOZE_FORMATS[0]
    return _data_set(name, CLOZE, (train_path, dev_path), items_from_cloze, _tokens)


def _data_set(
    name: str,
    task: Task,
    paths: tuple[Path, Path],
    items_from_lines: Callable[[Iterable[bytes]], Iterable[Item]],
    target: Callable[[Item], Target],
) -> DataSet:
    """Read both files of a task without labels."""
    train, dev = (_examples(path, items_from_lines, target) for path in paths)
    return DataSet(
        name=name,
        task=task.name,
        pair=task is CHOICE,
        labels=(),
        train=train,
        dev=dev,
        train_path=paths[0],
        dev_path=paths[1],
    )


def _examples(
    path: Path,
    items_from_lines: Callable[[Iterable[bytes]], Iterable[Item]],
    target: Callable[[Item], Target],
) -> tuple[LabelledText, ...]:
    try:
        items = tuple(items_from_lines(path.read_bytes().splitlines()))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    for item in items:
        if item.error:
            raise DatasetError(f"{path}:{item.line}: {item.error}")
    if not items:
        raise DatasetError(f"{path} has no lines; expected labelled examples")
    return tuple(
        LabelledText(texts=item.texts, target=target(item), line=item.line) for item in items
    )


def _tokens(item: Item) -> tuple[str, ...]:
    answer = item.record["answer"]
    return tuple(map(str, answer)) if isinstance(answer, list) else (str(answer),)


def _format_of(path: Path) -> str:
    first = path.read_bytes().removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0]
    if first.startswith(b"["):
        return "c3"
    return "chid" if b'"candidates"' in first else "options"
