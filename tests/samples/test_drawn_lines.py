"""Lines that are drawn beside the committed ones, to train on."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from ernie_triton.training.datasets import read_dataset
from samples.drawn_lines import drawn_lines
from samples.generators.digests import DIGESTS
from samples.generators.multi_label import TOPICS, TopicsLine
from samples.splits import draw_lines

DATA = Path(__file__).parents[2] / "samples" / "data"


def ranked_texts() -> set[str]:
    lines = (DATA / "rankings.json").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    documents = {one for r in records for one in (*r["positives"], *r["negatives"])}
    return documents | {record["query"] for record in records}


@pytest.mark.parametrize(
    ("drawn", "sample", "task"),
    [
        ("afqmc", "afqmc", "seq_cls"),
        ("similarity", "similarity", "regression"),
        ("multi_label", "multi_label", "multi_label"),
        ("digests", "multi_label", "multi_label"),
    ],
)
def test_no_text_that_measures_the_model_is_drawn(drawn: str, sample: str, task: str) -> None:
    data = read_dataset(task, DATA / sample)
    lines = drawn_lines(drawn, data, 2000, seed=0)
    assert len({frozenset(line.texts) for line in lines}) == 2000
    measured = {text for line in data.dev for text in line.texts} | ranked_texts()
    assert measured.isdisjoint(text for line in lines for text in line.texts)
    assert lines == drawn_lines(drawn, data, 2000, seed=0)
    assert lines != drawn_lines(drawn, data, 2000, seed=1)
    assert {type(line.target) for line in lines} == {type(line.target) for line in data.train}


def test_digests_name_their_topics_or_none() -> None:
    lines = draw_lines(DIGESTS.make_drawer(), 400, Random(0), frozenset())
    counts: Counter[str] = Counter()
    for line in lines:
        assert isinstance(line, TopicsLine)
        counts.update(line.labels or ("none",))
        assert list(line.labels) == [name for name in TOPICS.values() if name in line.labels]
    assert set(counts) == {"none", *TOPICS.values()}
    assert 0.2 < counts["none"] / len(lines) < 0.4
