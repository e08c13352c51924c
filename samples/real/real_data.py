"""From the packages to data sets and a base: `python -m samples real`."""

import json
from collections.abc import Iterator
from pathlib import Path

from samples.errors import DataError
from samples.real.base import write_pruned_base
from samples.real.four_bit import read_four_bit_model
from samples.real.package import (
    BASE,
    NEGATIVE,
    NEWSPAPER,
    PACKED_MODEL,
    POSITIVE,
    TEXTS,
    fetched_archive,
    packaged_lines,
    packed_content,
)
from samples.real.reviews import read_reviews
from samples.real.splits import write_newspaper, write_reviews

BASE_FOLDER = "base"


def write_real_data(folder: Path) -> Iterator[str]:
    """Fetch the package into a folder, and write the data sets beside it; yield a line about each.

    Raises:
        DataError: the package cannot be fetched, or is another one.
    """
    archive = fetched_archive(TEXTS, folder)
    yield from write_newspaper(packaged_lines(archive, NEWSPAPER), folder)
    opinions = {"negative": NEGATIVE, "positive": POSITIVE}
    lines = {name: packaged_lines(archive, file) for name, file in opinions.items()}
    yield write_reviews(read_reviews(lines), folder)


def write_real_base(folder: Path, layers: int) -> str:
    """Fetch a base into the folder of the data sets, and write it; returns a line about it.

    It keeps so many of the lowest layers, and the pieces of the data sets' training lines.

    Raises:
        DataError: the package cannot be fetched, or is another one.
    """
    wheel = fetched_archive(BASE, folder)
    model = read_four_bit_model(packed_content(wheel), f"{wheel}: {PACKED_MODEL}")
    texts = [text for name in ("entities", "reviews") for text in training_texts(folder, name)]
    return write_pruned_base(model, texts, folder / BASE_FOLDER, layers=layers)


def training_texts(folder: Path, name: str) -> list[str]:
    """Return the texts of a data set's training lines, without their labels.

    Raises:
        DataError: the folder lacks the data set.
    """
    path = folder / name / "train.json"
    if not path.is_file():
        raise DataError(f"{path} is missing; make it with `python -m samples real --output FOLDER`")
    records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [str(line.get("sentence") or "".join(line["tokens"])) for line in records]
