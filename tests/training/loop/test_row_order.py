"""Batches hold rows of similar lengths, in an order that seed and epoch decide."""

import numpy as np
import pytest

from ernie_triton.training.loop.row_order import LengthGroupedRows, length_grouped_order

LENGTHS = np.random.default_rng(0).integers(5, 60, 1003).tolist()


def order(**changes: int) -> list[int]:
    found = length_grouped_order(LENGTHS, 16, **{"seed": 1, "epoch": 0, **changes})
    return [int(row) for row in found]


def test_every_row_comes_once() -> None:
    assert sorted(order()) == list(range(len(LENGTHS)))


def test_seed_and_epoch_decide_the_order() -> None:
    assert order() == order()
    assert order() != order(epoch=1)
    assert order() != order(seed=2)


def test_batches_are_nearly_without_padding_and_not_sorted() -> None:
    rows = order()
    batches = [[LENGTHS[row] for row in rows[at : at + 16]] for at in range(0, len(rows), 16)]
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert padded / sum(LENGTHS) < 1.1
    longest = [max(batch) for batch in batches]
    assert longest != sorted(longest)
    assert len(batches[-1]) == len(LENGTHS) % 16


def test_the_sampler_follows_its_epoch() -> None:
    sampler = LengthGroupedRows(LENGTHS, 16, seed=1)
    first = list(sampler)
    sampler.epoch = 1
    assert (len(sampler), first, list(sampler)) == (len(LENGTHS), order(), order(epoch=1))


@pytest.mark.parametrize("rows", [1, 15, 16])
def test_few_rows_are_one_batch(rows: int) -> None:
    found = length_grouped_order(LENGTHS[:rows], 16, seed=0, epoch=0)
    assert sorted(found.tolist()) == list(range(rows))
