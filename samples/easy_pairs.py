"""Pairs that differ in everything or in nothing: where a pair model's training starts.

Look-alikes are too hard for a model that cannot compare yet: it stays near chance for many epochs.
After a short start on easy pairs it has learnt to look across, and the look-alikes refine that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from samples.examples import Example

DIFFERENT_ID, SAME_ID = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EasyPairs:
    """Draws easy pairs from the texts of a training set: `sames` are its paraphrases."""

    texts: tuple[str, ...]
    sames: tuple[Example, ...]

    def draw(self, rng: Random) -> Example:
        """Draw a text with itself, a paraphrase, or (half of the time) two texts at random."""
        chance = rng.random()
        if chance < 0.25:
            text = rng.choice(self.texts)
            return Example(texts=(text, text), label_id=SAME_ID)
        if chance < 0.5 and self.sames:
            return rng.choice(self.sames)
        return Example(
            texts=(rng.choice(self.texts), rng.choice(self.texts)), label_id=DIFFERENT_ID
        )


def easy_pairs_from(examples: Sequence[Example]) -> EasyPairs:
    """Collect the texts and the paraphrases of labelled pairs."""
    return EasyPairs(
        texts=tuple(text for example in examples for text in example.texts),
        sames=tuple(example for example in examples if example.label_id == SAME_ID),
    )
