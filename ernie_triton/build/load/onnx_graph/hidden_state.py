"""What the head of a graph reads: the encoder's last hidden state."""

from dataclasses import dataclass

import numpy as np

from ernie_triton.build.load.onnx_graph.norm import find_norm
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.model.heads import Head


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundHead:
    """A head, and the last hidden state that it reads.

    `pad_ids` are the token ids that the head leaves out by a mask of its own, made from token ids;
    None where a head needs no mask.
    """

    head: Head
    hidden: str
    pad_ids: frozenset[int] | None = None


def every_token_state(reading: Reading, name: str) -> str | None:
    """The normalised hidden state of all tokens that a value is; None if it is something else."""
    name = reading.strip(name)
    if find_norm(reading, name) is None:
        return None
    vectors = np.prod(reading.value(name).shape[:-1])
    return name if vectors == reading.probes.texts * reading.probes.tokens else None
