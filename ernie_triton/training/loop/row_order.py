"""Random order of an epoch's rows, with rows of similar length in one batch."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

_GROUPS_AT_ONCE = 50
"""Batches whose rows are sorted by length together. Rows of a batch then differ little in length,
and chance still decides which rows meet."""


def length_grouped_order(
    lengths: Sequence[int], batch_rows: int, *, seed: int, epoch: int
) -> npt.NDArray[np.int64]:
    """Order the rows of an epoch, int64 [rows], in batches of similar lengths.

    Args:
        lengths: tokens of each row.
        batch_rows: rows of one step, over all processes.
        seed: of the training.
        epoch: counted from 0; each has another order.

    Returns:
        Each row once. Batches are in random order; a smaller batch stays last.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    known = np.asarray(lengths)
    span = batch_rows * _GROUPS_AT_ONCE
    sorted_parts = [
        part[np.argsort(known[part], kind="stable")]
        for part in (order[start : start + span] for start in range(0, len(order), span))
    ]
    order = np.concatenate(sorted_parts)
    full = len(order) // batch_rows
    batches = order[: full * batch_rows].reshape(full, batch_rows)
    return np.concatenate([random.permutation(batches).ravel(), order[full * batch_rows :]])


class LengthGroupedRows:
    """Sample the rows of the epoch that `epoch` names, for transformers' `Trainer`.

    The order depends on seed and epoch alone, so a resumed run draws the same as an unbroken one.
    """

    def __init__(self, lengths: Sequence[int], batch_rows: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_rows = batch_rows
        self._seed = seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        order = length_grouped_order(
            self._lengths, self._batch_rows, seed=self._seed, epoch=self.epoch
        )
        return iter(order.tolist())

    def __len__(self) -> int:
        return len(self._lengths)
