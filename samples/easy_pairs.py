"""Pairs that differ in everything or in nothing: where a pair model's training starts.

Look-alikes are too hard for a model that cannot compare yet: it stays near chance for many epochs.
After a short start on easy pairs it has learnt to look across, and the look-alikes refine that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic

from samples.examples import Example, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class EasyPairs(Generic[Target]):
    """Draws easy pairs from the texts of a training set: `sames` are its paraphrases."""

    texts: tuple[str, ...]
    sames: tuple[Example[Target], ...]
    same: Target
    different: Target

    def draw(self, rng: Random) -> Example[Target]:
        """Draw a text with itself, a paraphrase, or (half of the time) two texts at random."""
        chance = rng.random()
        if chance < 0.25:
            text = rng.choice(self.texts)
            return Example(texts=(text, text), target=self.same)
        if chance < 0.5 and self.sames:
            return rng.choice(self.sames)
        texts = (rng.choice(self.texts), rng.choice(self.texts))
        return Example(texts=texts, target=self.different)


def easy_pairs_from(
    examples: Sequence[Example[Target]], *, same: Target, different: Target
) -> EasyPairs[Target]:
    """Collect the texts and the paraphrases of labelled pairs."""
    return EasyPairs(
        texts=tuple(text for example in examples for text in example.texts),
        sames=tuple(example for example in examples if example.target == same),
        same=same,
        different=different,
    )
