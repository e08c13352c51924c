"""A student without attention (ERNIE-Slim): a bag of words or a convolution over word pieces.

Like an encoder, it takes rows of tokens. Each text becomes a vector:

- `bow`: the mean of its word vectors; with bigrams, a token's vector also has the vector of the
  bigram that begins there.
- `cnn`: windows of one, two and more tokens pass through a linear layer each. The maximum of each
  feature over the windows follows, then ReLU (TextCNN, arxiv.org/abs/1408.5882).

`[PAD]` is left out wherever it stands, and follows the last token in windows and bigrams. In a
model of pairs, the tokens of each type give the vectors `a` and `b`. The classifier then reads
`a, b, |a - b|, a * b`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float32
from ernie_triton.build.model.encoder import Linear, named_arrays
from ernie_triton.build.model.heads import SequenceHead
from ernie_triton.errors import CheckpointError

KINDS = ("bow", "cnn")
"""Kinds of students: `bow` may have bigrams, `cnn` has windows."""

PAIR_FEATURES = 4
"""Input width of a pair's classifier, in widths of a text's vector."""

_FIRST_MULTIPLIER, _SECOND_MULTIPLIER = 0x9E3779B1, 0x85EBCA77
"""Odd 32-bit numbers with well mixed bits: from the golden ratio, and a prime of xxHash."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlimModel:
    """A student's weights.

    Attributes:
        word: word vectors, float32 [vocabulary, width].
        bigram: bigram vectors by bucket, float32 [buckets, width]; [0, width] for none.
        windows: `windows[n]` takes n + 1 concatenated vectors and returns the features of that
            window; empty for a bag of words.
        head: the hidden layer as its pooler, and the classifier.
        pair: a row holds two texts.
        max_positions: maximum tokens of a row.
        pad_token_id: the token that is left out.
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
                f"the word vectors have the shape {list(self.word.shape)} and the bigram vectors "
                f"{list(self.bigram.shape)}; expected rows of one width"
            )
        mismatched = [
            f"window {size} reads {window.inputs} numbers"
            for size, window in enumerate(self.windows, 1)
            if window.inputs != size * self.width
        ]
        if mismatched:
            raise CheckpointError(f"{mismatched[0]}; expected as many vectors of {self.width}")
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
        """Width of the word vectors."""
        return int(self.word.shape[1])

    @property
    def features(self) -> int:
        """Number of features that the head reads per row."""
        one = sum(window.outputs for window in self.windows) or self.width
        return PAIR_FEATURES * one if self.pair else one

    @property
    def vocabulary_size(self) -> int:
        """Rows of the word vector table."""
        return int(self.word.shape[0])

    @property
    def token_types(self) -> int:
        """Number of token types: one for each text of a row."""
        return 2 if self.pair else 1

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(int(array.size) for _, array in named_arrays(self))


def bigram_addends(
    tokens: int, buckets: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Compute the addends of a bigram's first and second token to its bucket.

    The bucket is their sum modulo `buckets`, by one comparison and subtraction: OpenVINO 2026.4
    computes integer products and remainders in floating point. Each addend is the high part of a
    multiplicative hash (Knuth, TAOCP 3, 6.4).

    Args:
        tokens: size of the vocabulary.
        buckets: rows of the bigram table.

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
