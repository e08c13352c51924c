"""Exchange words for others with similar vectors: a teacher knows words that no text has."""

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np
from tokenizers import Tokenizer

from ernie_triton.arrays import Array, Int64
from samples.distillation.students import pieces_of

_SPACE = "\u2581"
_NEIGHBOURS = 8
_BLOCK = 1024


class NearWords:
    """Pieces of a `tokenizer.json`, and of each the pieces with the most similar vectors.

    Only pieces of ideographs take part. What they stand for in a text need not be a word.
    """

    def __init__(self, document: str, vectors: Array) -> None:
        """Find the neighbours.

        Args:
            document: the `tokenizer.json`.
            vectors: of its pieces, float [pieces, width].
        """
        names = pieces_of(document)
        self._tokenizer = Tokenizer.from_str(document)
        self._names = [name.replace(_SPACE, " ") for name in names]
        words = [place for place, name in enumerate(names) if _is_of_ideographs(name)]
        places = np.array(words, np.int64)
        self._neighbours = dict(zip(words, places[_nearest(vectors[places])].tolist(), strict=True))

    def exchanged(self, texts: Sequence[str], share: float, rng: Random) -> Iterator[str]:
        """Yield each text with a share of its pieces exchanged."""
        rows = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        for row in rows:
            pieces = [
                rng.choice(self._neighbours[piece])
                if piece in self._neighbours and rng.random() < share
                else piece
                for piece in row.ids
            ]
            yield "".join(self._names[piece] for piece in pieces).strip()


def _is_of_ideographs(name: str) -> bool:
    word = name.removeprefix(_SPACE)
    return bool(word) and all("\u4e00" <= character <= "\u9fff" for character in word)


def _nearest(vectors: Array) -> Int64:
    """Return the places of the nearest others of each vector, by cosine."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-9)
    count = min(_NEIGHBOURS, len(units) - 1)
    found = []
    for start in range(0, len(units), _BLOCK):
        alike = units[start : start + _BLOCK] @ units.T
        rows = np.arange(len(alike))
        alike[rows, start + rows] = -np.inf
        found.append(np.argpartition(-alike, count - 1, axis=1)[:, :count])
    return np.concatenate(found)
