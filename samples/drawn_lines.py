"""Draw training lines beside the committed ones: any number of them, each different."""

import json
import tempfile
from pathlib import Path
from random import Random

from ernie_triton.training.datasets import DataSet, LabelledText, read_dataset
from samples.generators.catalogue import SAMPLE_TASKS
from samples.paths import SAMPLE_RANKINGS
from samples.splits import draw_lines


def drawn_lines(sample: str, data: DataSet, count: int, *, seed: int) -> tuple[LabelledText, ...]:
    """Draw lines that have no text of the development set or of the samples' rankings.

    Args:
        sample: name of a task that has a grammar, and the form and the labels of the data set.
        data: the data set.
        count: how many.
        seed: the same one gives the same lines.

    Raises:
        DataError: the grammar is too small for so many different lines.
    """
    task = SAMPLE_TASKS[sample]
    taken = frozenset(text for line in data.dev for text in line.texts) | _ranked_texts()
    lines = draw_lines(task.make_drawer(), count, Random(f"{sample}/drawn/{seed}"), taken)
    with tempfile.TemporaryDirectory() as name:
        path = task.write_split(Path(name) / "drawn.json", lines)
        return read_dataset(data.task, data.train_path.parent, train_file=path).train


def _ranked_texts() -> frozenset[str]:
    """Return the queries of `rankings.json` and all their documents."""
    lines = map(json.loads, SAMPLE_RANKINGS.read_text(encoding="utf-8").splitlines())
    return frozenset(
        text for one in lines for text in (one["query"], *one["positives"], *one["negatives"])
    )
