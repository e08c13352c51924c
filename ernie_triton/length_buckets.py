"""Rows of tokens padded to few lengths, for engines that the server's own batcher feeds.

Triton's batcher puts requests into one run when their shapes are equal; rounding lengths up makes
more of them so, and lets a runtime see fewer shapes. What is added is padding like any other: the
`[PAD]` token, which the graph masks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ernie_triton.tasks import TOKEN_TENSORS

Tensors = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBuckets:
    """Which lengths rows may have.

    Attributes:
        bucket: lengths are multiples of this; 1 leaves them as they are.
        max_length: the longest, also where it is no multiple.
        pad_token_id: fills the rows of `input_ids`; those of `token_type_ids` get 0.
    """

    bucket: int
    max_length: int
    pad_token_id: int

    def padded(self, tensors: Tensors) -> Tensors:
        """One request's tensors with the rows of its `TOKEN_TENSORS`, int32 [rows, length], padded.

        The others stay: `lengths` tells real tokens, `spans` need not cover padding.
        """
        length = tensors[TOKEN_TENSORS[0].name].shape[1]
        wanted = max(length, min(-(-length // self.bucket) * self.bucket, self.max_length))
        if wanted == length:
            return tensors
        longer = dict(tensors)
        for tensor, filler in zip(TOKEN_TENSORS, (self.pad_token_id, 0), strict=True):
            rows = tensors[tensor.name]
            longer[tensor.name] = np.full((len(rows), wanted), filler, np.int32)
            longer[tensor.name][:, :length] = rows
        return longer
