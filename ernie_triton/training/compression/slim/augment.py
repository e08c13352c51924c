"""Make more training texts for a student out of the given ones (ERNIE-Slim).

The three strategies are those of the published data distillation (PaddlePaddle/ERNIE,
`distill/README`, after arxiv.org/abs/1903.12136): noise, replacement within a category, and
sampling of spans. They work on word pieces instead of tagged words, so the category takes the place
of the part of speech: ideographs, Latin letters, digits and signs replace only their own kind.
Ideographs are replaced in runs of up to three, since Chinese words are rarely a single character.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Int32
from ernie_triton.errors import DatasetError
from ernie_triton.tokenizer.vocabulary import Vocabulary

TokenIds: TypeAlias = Int32
"""Token ids of one text without special tokens, int32 [tokens]."""

LONGEST_RUN = 3
"""Most ideographs that are replaced together."""

_IDEOGRAPHS, _LETTERS, _DIGITS, _SIGNS = range(4)
_CONTINUES = "##"


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Number of new texts, and their distance from the originals.

    Attributes:
        copies: new texts per original.
        noise: share of tokens that become `[UNK]`, 0 to 1.
        replaced: share of tokens that begin a replaced run, 0 to 1.
        sampled: share of new texts that are cut to a span, 0 to 1.
        seed: seed of all random choices.
    """

    copies: int = 10
    noise: float = 0.1
    replaced: float = 0.1
    sampled: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.copies < 0 or self.seed < 0:
            raise DatasetError(
                f"copies is {self.copies} and seed {self.seed}; expected numbers from 0 on"
            )
        for name in ("noise", "replaced", "sampled"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise DatasetError(f"{name} is {getattr(self, name)}; expected a share, 0 to 1")


class Augmenter:
    """Make new texts out of the tokens of a set of texts."""

    def __init__(
        self, texts: Sequence[TokenIds], vocabulary: Vocabulary, how: Augmentation
    ) -> None:
        """Index the places of each category's tokens.

        Args:
            texts: source of replacements.
            vocabulary: gives each token its category.
            how: shares and seed.
        """
        self._how = how
        self._unknown = vocabulary.unknown_id
        self._categories = token_categories(vocabulary)
        self._tokens = np.concatenate([*texts, np.empty(0, np.int32)])
        self._ends = np.repeat(np.cumsum([len(text) for text in texts]), [len(t) for t in texts])
        kinds = self._categories[self._tokens]
        self._places = {kind: np.flatnonzero(kinds == kind) for kind in np.unique(kinds).tolist()}

    def copies(self, examples: Sequence[tuple[TokenIds, ...]]) -> Iterator[tuple[TokenIds, ...]]:
        """Yield new examples, `Augmentation.copies` rounds over all originals.

        They follow from seed and texts alone; the number of rounds does not change earlier ones.
        """
        for number in range(self._how.copies):
            random = np.random.default_rng((self._how.seed, number))
            for texts in examples:
                yield tuple(self._changed(text, random) for text in texts)

    def _changed(self, text: TokenIds, random: np.random.Generator) -> TokenIds:
        """Make one new text: replace words, add noise, then perhaps cut it to a span."""
        chances = random.random(len(text) + 1)
        made = text.copy()
        for place in np.flatnonzero(chances[:-1] < self._how.replaced).tolist():
            self._replace(made, place, random)
        noisy = random.random(len(made)) < self._how.noise
        made[noisy] = self._unknown
        if len(made) > 1 and chances[-1] < self._how.sampled:
            length = int(random.integers(1, len(made) + 1))
            start = int(random.integers(0, len(made) - length + 1))
            made = made[start : start + length]
        return made

    def _replace(self, text: TokenIds, place: int, random: np.random.Generator) -> None:
        """Replace a run by another of the same length and category."""
        kind = int(self._categories[text[place]])
        found = self._places.get(kind)
        if found is None:
            return
        source = int(found[random.integers(len(found))])
        longest = LONGEST_RUN if kind == _IDEOGRAPHS else 1
        length = int(random.integers(1, longest + 1))
        length = min(length, len(text) - place, int(self._ends[source]) - source)
        run = self._tokens[source : source + length]
        alike = (self._categories[run] == kind) & (
            self._categories[text[place : place + length]] == kind
        )
        length = length if alike.all() else int(np.argmin(alike))
        text[place : place + length] = run[:length]


def token_categories(vocabulary: Vocabulary) -> npt.NDArray[np.int8]:
    """Return each token's category by its first character, int8 [vocabulary]."""
    categories = np.full(vocabulary.rows, _SIGNS, np.int8)
    for token, index in vocabulary.ids.items():
        categories[index] = _category(token.removeprefix(_CONTINUES))
    return categories


def _category(token: str) -> int:
    first = token[:1]
    if first.isdecimal():
        return _DIGITS
    if first.isalpha():
        return _IDEOGRAPHS if first >= "\u2e80" else _LETTERS
    return _SIGNS
