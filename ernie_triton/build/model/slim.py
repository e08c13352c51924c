"""A student without attention: a bag of words or a convolution over word pieces (ERNIE-Slim).

A checkpoint is read into this or into `Model`. A row of tokens is turned into a vector by one of:

- `bow`: the mean over the tokens that count of their word vectors, each with the vector of the
  bigram that it begins, where the model has bigrams;
- `cnn`: for each window of one, two and more tokens, from each token that counts on, a linear layer
  on the word vectors in it; then the largest value of each feature over the windows, and ReLU
  (TextCNN, arxiv.org/abs/1408.5882).

`[PAD]` does not count wherever it stands, and is what a window or bigram sees past a row's end. In
a model of pairs each text of a row pools the tokens of its own type, to `a` and `b`, and the
classifier reads `a, b, |a - b|, a * b`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float32
from ernie_triton.build.model.encoder import Linear, named_arrays
from ernie_triton.build.model.heads import SequenceHead
from ernie_triton.errors import CheckpointError

KINDS = ("bow", "cnn")
"""What a student can be: `bow` has bigrams or none, `cnn` has windows."""

PAIR_FEATURES = 4
"""Times the width of a text's vector: what the classifier reads of a pair."""

_FIRST_MULTIPLIER, _SECOND_MULTIPLIER = 0x9E3779B1, 0x85EBCA77
"""Odd 32-bit numbers of well mixed bits (the golden ratio's, and one of xxHash's primes)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlimModel:
    """A student's weights.

    Attributes:
        word: word vectors, float32 [vocabulary, width].
        bigram: vectors of bigrams by bucket (`bigram_buckets`), float32 [buckets, width]; [0,
            width] for none.
        windows: `windows[n]` reads n + 1 vectors, one after the other, and gives the features of
            that window; empty for a bag of words.
        head: the hidden layer as its pooler, and the classifier.
        pair: rows hold two texts.
        max_positions: tokens of the longest row that a graph of it is to take.
        pad_token_id: the token that does not count.
    """

    word: Float32
    bigram: Float32
    windows: tuple[Linear, ...]
    head: SequenceHead
    pair: bool
    max_positions: int
    pad_token_id: int

    def __post_init__(self) -> None:
        if self.word.ndim != 2 or self.bigram.ndim != 2 or self.bigram.shape[1] != self.width:
            raise CheckpointError(
                f"the vectors of words have the shape {list(self.word.shape)} and those of bigrams "
                f"{list(self.bigram.shape)}; expected rows of one width"
            )
        odd = [
            f"window {size} reads {window.inputs} numbers"
            for size, window in enumerate(self.windows, 1)
            if window.inputs != size * self.width
        ]
        if odd:
            raise CheckpointError(f"{odd[0]}; expected as many vectors of {self.width}")
        if self.windows and len(self.bigram):
            raise CheckpointError("a model has either windows or bigrams; found both")
        if self.head.features != self.features:
            raise CheckpointError(
                f"the hidden layer takes {self.head.features} features but the "
                f"{'two texts' if self.pair else 'text'} of a row give {self.features}"
            )
        if not 0 <= self.pad_token_id < len(self.word):
            raise CheckpointError(
                f"pad_token_id is {self.pad_token_id}; expected one of the {len(self.word)} tokens"
            )

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return "cnn" if self.windows else "bow"

    @property
    def width(self) -> int:
        """Of the word vectors."""
        return int(self.word.shape[1])

    @property
    def features(self) -> int:
        """What the head reads of a row."""
        one = sum(window.outputs for window in self.windows) or self.width
        return PAIR_FEATURES * one if self.pair else one

    @property
    def vocabulary_size(self) -> int:
        """Rows of the word vectors' table."""
        return int(self.word.shape[0])

    @property
    def token_types(self) -> int:
        """Texts of a row, told apart by their token types."""
        return 2 if self.pair else 1

    @property
    def parameters(self) -> int:
        """How many weights the model has."""
        return sum(int(array.size) for _, array in named_arrays(self))


def bigram_addends(
    tokens: int, buckets: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """What a bigram's first and second token add to its bucket.

    The bucket is their sum, less `buckets` where it reaches that: so a graph needs no integer
    multiplication or remainder, which OpenVINO 2026.4 computes in floating point. Each token's
    addend is the high part of a multiplicative hash (Knuth, TAOCP 3, 6.4).

    Args:
        tokens: size of the vocabulary.
        buckets: rows of the bigrams' table.

    Returns:
        int32 [tokens] each, 0 to `buckets` - 1.
    """
    ids = np.arange(tokens, dtype=np.uint64)
    first, second = (
        ((ids * np.uint64(factor) % np.uint64(2**32)) * np.uint64(buckets) >> np.uint64(32)).astype(
            np.int32
        )
        for factor in (_FIRST_MULTIPLIER, _SECOND_MULTIPLIER)
    )
    return first, second
