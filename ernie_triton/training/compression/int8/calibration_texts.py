"""The texts that INT8 is calibrated on: drawn from the task's own training data."""

import random
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.errors import DatasetError

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet

CALIBRATION_FILE = "calibration.txt"
_FEWEST = 2


def drawn_texts(data: "DataSet", count: int, seed: int) -> list[str]:
    """Lines of the training examples, drawn without repetition, in a random order.

    Args:
        data: whose `train` is drawn from.
        count: how many lines; all there are where these are fewer.
        seed: decides which.

    Returns:
        A line for each: its text, or its two texts with a tab between them. White space within a
        text is one space, as it is to the tokenizer.

    Raises:
        DatasetError: there are not two different lines.
    """
    lines = list(dict.fromkeys(_line(example.texts) for example in data.train))
    lines = [line for line in lines if line.strip()]
    if len(lines) < _FEWEST:
        raise DatasetError(
            f"{data.train_path} has {len(lines)} different texts; calibration needs at least "
            f"{_FEWEST}, better hundreds"
        )
    return random.Random(seed).sample(lines, min(count, len(lines)))


def write_calibration(data: "DataSet", count: int, seed: int, folder: Path) -> Path:
    """Write drawn texts as a folder's `calibration.txt`, and return its path.

    Raises:
        DatasetError: there are too few.
    """
    path = folder / CALIBRATION_FILE
    lines = drawn_texts(data, count, seed)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _line(texts: tuple[str, ...]) -> str:
    return "\t".join(" ".join(text.split()) for text in texts)
