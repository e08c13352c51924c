"""The benchmark's lengths are title-like, and one run of it gives a row for every candidate."""

import numpy as np
import pytest

from ernie_triton.model_shapes import FAMILY, VOCABULARY_SIZE, Shape
from ernie_triton.perf.benchmark import CANDIDATES, title_batch, title_lengths
from tests.commands import Run


def test_lengths_are_normal_within_their_bounds() -> None:
    lengths = title_lengths(20_000, seed=1)
    assert lengths.dtype == np.int32
    assert (lengths.min(), lengths.max()) >= (8, 40)
    assert lengths.max() <= 60
    assert lengths.mean() == pytest.approx(24, abs=0.2)
    assert lengths.std() == pytest.approx(7, abs=0.2)


def test_batches_are_of_those_lengths_and_repeat_by_seed() -> None:
    batch, same, other = title_batch(32, 3), title_batch(32, 3), title_batch(32, 4)
    assert batch.rows == 32
    assert batch.lengths.tolist() == title_lengths(32, 3).tolist()
    assert len(batch.input_ids) == len(batch.token_type_ids) == batch.lengths.sum()
    assert batch.input_ids.min() > 0
    assert batch.input_ids.max() < VOCABULARY_SIZE
    assert batch.input_ids.tolist() == same.input_ids.tolist()
    assert batch.lengths.tolist() != other.lengths.tolist()


def test_one_command_prints_every_candidate_s_ratio_to_the_exported_graph(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The family's own shapes take a minute; the table of shapes is data.
    shape = Shape(layers=1, hidden=24, heads=3, feed_forward=40)
    monkeypatch.setitem(FAMILY, "tiny", shape)
    options = ("--shape", "tiny", "--batch", 4, "--rounds", 1, "--threads", 1)
    done = run("benchmark", *options)
    assert done.code == 0
    assert done.stderr == "tiny: exporting with torch …\ntiny: round 1 of 1\n"
    heading, empty, *rows = done.stdout.rstrip().splitlines()
    assert heading.startswith("ERNIE 3.0 tiny (1 x 24), batch 4, title-like lengths")
    assert empty == ""
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells[2:]] == [candidate.name for candidate in CANDIDATES]
    baseline = cells[2]
    assert baseline[2:] == ["1.00x (1.00 to 1.00)", "0.0e+00"]
    for name, speed, ratio, difference in cells[2:]:
        assert float(speed.replace(",", "")) > 0
        assert float(ratio.split("x")[0]) > 0
        assert float(difference) <= (2e-2 if "bf16" in name else 1e-4)
