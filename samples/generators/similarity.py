"""Draw pairs of questions with their likeness as in STS-B: a `score` between 0 and 1.

The questions are AFQMC's. The score says how much the two have in common: everything (1), all but
the product, bank or merchant (0.7), another intent of the family (0.5), both of these (0.3), only
the product (0.15), nothing (0). As with human raters it wavers by a step of 0.05 either way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from samples.generators.afqmc import BOUND_SLOTS, ask, families_of
from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar
from samples.tasks import SampleTask

LEVELS = {
    "same": 1.0,
    "value": 0.7,
    "intent": 0.5,
    "intent_and_value": 0.3,
    "family": 0.15,
    "family_and_value": 0.0,
}
STEP = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPair:
    """Two questions and their likeness, from 0 to 1."""

    sentence1: str
    sentence2: str
    score: float

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return both questions."""
        return (self.sentence1, self.sentence2)

    def to_json(self) -> dict[str, object]:
        """Return the three keys of a line."""
        return {"sentence1": self.sentence1, "sentence2": self.sentence2, "score": self.score}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPairDrawer:
    """Draw pairs; every level is equally likely."""

    grammar: Grammar
    families: Mapping[str, tuple[str, ...]]

    def __call__(self, rng: Random) -> ScoredPair:
        """Draw one pair of a random level."""
        level = rng.choice(tuple(LEVELS))
        family = rng.choice(tuple(self.families))
        intent = rng.choice(self.families[family])
        first = rng.choice(self.grammar.lines[intent])
        second = rng.choice([t for t in self.answers(level, family, intent) if t != first])
        values = {slot: rng.choice(self.grammar.words[slot]) for slot in BOUND_SLOTS}
        others = self.other_values(values, rng) if level.endswith("value") else values
        questions = [
            ask(self.grammar, first, values, rng),
            ask(self.grammar, second, others, rng),
        ]
        rng.shuffle(questions)
        score = min(1.0, max(0.0, LEVELS[level] + rng.choice((-STEP, 0.0, STEP))))
        return ScoredPair(sentence1=questions[0], sentence2=questions[1], score=round(score, 2))

    def answers(self, level: str, family: str, intent: str) -> list[str]:
        """Return the templates of a second question that has a level in common with the first."""
        if level in ("same", "value"):
            intents = [intent]
        elif level.startswith("intent"):
            intents = [name for name in self.families[family] if name != intent]
        else:
            intents = [name for f in self.families if f != family for name in self.families[f]]
        return [template for name in intents for template in self.grammar.lines[name]]

    def other_values(self, values: Mapping[str, str], rng: Random) -> dict[str, str]:
        """Draw another product, bank and merchant."""
        words = self.grammar.words
        return {
            slot: rng.choice([word for word in words[slot] if word != values[slot]])
            for slot in BOUND_SLOTS
        }


def make_drawer() -> ScoredPairDrawer:
    """Read the grammar of intents, the vague questions left out."""
    grammar = load_grammar(GRAMMAR_FOLDER / "afqmc.txt")
    families = {name: i for name, i in families_of(grammar).items() if name != "vague"}
    return ScoredPairDrawer(grammar=grammar, families=families)


SIMILARITY = SampleTask(
    name="similarity",
    labels=(),
    make_drawer=make_drawer,
    train_lines=3200,
    dev_lines=400,
)
