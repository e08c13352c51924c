"""Rows of tokens from several requests as one engine input, packed or padded, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LENGTH_BUCKET = 8
"""Padded lengths are rounded up to a multiple of this, so that a runtime sees few shapes."""

Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBatch:
    """Rows of tokens without padding, one after the other.

    Attributes:
        input_ids: int32 [tokens].
        token_type_ids: int32 [tokens].
        lengths: int32 [rows], each at least 1; their sum is `tokens`.
    """

    input_ids: Int32
    token_type_ids: Int32
    lengths: Int32

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return len(self.lengths)

    def packed(self) -> dict[str, npt.NDArray[np.int32]]:
        """Inputs of a packed graph."""
        return {
            "input_ids": self.input_ids,
            "token_type_ids": self.token_type_ids,
            "lengths": self.lengths,
        }

    def padded(self, pad_token_id: int, longest_allowed: int) -> dict[str, Int32]:
        """Inputs of a padded graph, and an `attention_mask`; all int32 [rows, length].

        The length is the longest row's, rounded up to a multiple of `LENGTH_BUCKET` within
        `longest_allowed`.
        """
        longest = int(self.lengths.max())
        length = max(longest, min(-(-longest // LENGTH_BUCKET) * LENGTH_BUCKET, longest_allowed))
        real = np.arange(length) < self.lengths[:, None]
        input_ids = np.full(real.shape, pad_token_id, np.int32)
        token_type_ids = np.zeros(real.shape, np.int32)
        input_ids[real] = self.input_ids
        token_type_ids[real] = self.token_type_ids
        return {
            "input_ids": input_ids,
            "token_type_ids": token_type_ids,
            "attention_mask": real.astype(np.int32),
        }


def join_rows(rectangles: Sequence[tuple[Int32, Int32, Int32]]) -> TokenBatch:
    """Gather requests into one batch.

    Args:
        rectangles: for each request its `input_ids` and `token_type_ids`, int32 [rows, length],
            and `lengths`, int32 [rows] or [rows, 1]; what lies past a row's length is dropped.
    """
    ids, types, lengths = [], [], []
    for input_ids, token_type_ids, row_lengths in rectangles:
        row_lengths = row_lengths.reshape(-1)
        if len(row_lengths) == 1:
            ids.append(input_ids[0, : row_lengths[0]])
            types.append(token_type_ids[0, : row_lengths[0]])
        else:
            real = np.arange(input_ids.shape[1]) < row_lengths[:, None]
            ids.append(input_ids[real])
            types.append(token_type_ids[real])
        lengths.append(row_lengths)
    return TokenBatch(
        input_ids=np.concatenate(ids),
        token_type_ids=np.concatenate(types),
        lengths=np.concatenate(lengths),
    )


def split_rows(
    outputs: Mapping[str, npt.NDArray[np.float32]], rows: Sequence[int]
) -> list[dict[str, npt.NDArray[np.float32]]]:
    """Give each request its rows of the engine's outputs, in the order of `join_rows`."""
    ends = np.cumsum(rows).tolist()
    return [
        {name: values[end - count : end] for name, values in outputs.items()}
        for end, count in zip(ends, rows, strict=True)
    ]
