"""Draw pairs in AFQMC's format and from its grammar, to train embeddings on."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.generators.afqmc import AFQMC, PairLine
from samples.generators.afqmc import make_drawer as make_pair_drawer
from samples.splits import draw_dev
from samples.tasks import SampleTask


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshPairs:
    """Draw pairs without the questions in `taken`."""

    draw: Callable[[Random], PairLine]
    taken: frozenset[str]

    def __call__(self, rng: Random) -> PairLine:
        """Draw one pair."""
        while True:
            line = self.draw(rng)
            if self.taken.isdisjoint(line.sentences):
                return line


def make_drawer() -> Callable[[Random], PairLine]:
    """Read the grammar; leave out the questions of AFQMC's committed dev split."""
    dev = draw_dev(AFQMC, AFQMC.dev_lines, seed=0)
    taken = frozenset(sentence for line in dev for sentence in line.sentences)
    return FreshPairs(draw=make_pair_drawer(), taken=taken)


SENTENCE_PAIRS = SampleTask(
    name="sentence_pairs",
    labels=AFQMC.labels,
    make_drawer=make_drawer,
    train_lines=3000,
    dev_lines=400,
)
