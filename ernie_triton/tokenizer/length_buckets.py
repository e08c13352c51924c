"""Rows of tokens padded to few lengths, for engines that the server's own batcher feeds.

Triton's batcher puts requests of equal shapes into one run. With lengths rounded up, more requests
have equal shapes, and a runtime sees fewer of them. The filler is `[PAD]`, which the graph masks.
"""

from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Tensors
from ernie_triton.tasks import INPUT_IDS, TOKEN_TYPE_IDS


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBuckets:
    """The lengths that rows may have.

    Attributes:
        bucket: lengths are multiples of this; 1 leaves them as they are.
        max_length: the longest, also where it is no multiple.
        pad_token_id: fills the rows of `input_ids`; those of `token_type_ids` get 0.
    """

    bucket: int
    max_length: int
    pad_token_id: int

    def padded(self, tensors: Tensors) -> Tensors:
        """One request's tensors with the rows of its tokens, int32 [rows, length], padded.

        The others stay: `spans` need not cover padding.
        """
        length = tensors[INPUT_IDS.name].shape[1]
        wanted = max(length, min(-(-length // self.bucket) * self.bucket, self.max_length))
        if wanted == length:
            return tensors
        longer = dict(tensors)
        fillers = {INPUT_IDS.name: self.pad_token_id, TOKEN_TYPE_IDS.name: 0}
        for name in fillers.keys() & tensors.keys():
            longer[name] = np.full((len(tensors[name]), wanted), fillers[name], np.int32)
            longer[name][:, :length] = tensors[name]
        return longer
