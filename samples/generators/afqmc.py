"""Draw AFQMC's lines: two questions to a financial customer service, the same or not.

A question is an intent (`repay.early`) about a product, a bank card, a merchant. Two phrasings of
one intent with the same values are paraphrases. Look-alikes differ in one of these: the product,
the bank, the merchant, or the intent within its family (`repay.early` against `repay.late`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar
from samples.generators.noise import misspell, restyle
from samples.tasks import ClassLabel, SampleTask

DIFFERENT, SAME = "0", "1"
BOUND_SLOTS = ("p", "bank", "shop")
_SAME_SHARE = 0.48
_VAGUE_SHARE = 0.12
_OTHER_VALUE_SHARE = 0.4
_OTHER_FAMILY_SHARE = 0.15
_LEAD_SHARE = 0.25
_TAIL_SHARE = 0.6
_TYPO_SHARE = 0.08
PARTICLES = "啊呢呀"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLine:
    """Two questions, with the label "1" if they ask the same, else "0"."""

    sentence1: str
    sentence2: str
    label: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return both questions."""
        return (self.sentence1, self.sentence2)

    def to_json(self) -> dict[str, object]:
        """Return the three keys of an AFQMC line."""
        return {"sentence1": self.sentence1, "sentence2": self.sentence2, "label": self.label}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDrawer:
    """Draw pairs from one grammar of intents; `families` lists the intents of each family."""

    grammar: Grammar
    families: Mapping[str, tuple[str, ...]]

    def __call__(self, rng: Random) -> PairLine:
        """Draw one pair; the label of a vague question is random."""
        family = rng.choice([name for name in self.families if name != "vague"])
        intent = rng.choice(self.families[family])
        first = rng.choice(self.grammar.lines[intent])
        values = {slot: rng.choice(self.grammar.words[slot]) for slot in BOUND_SLOTS}
        if f"vague.{family}" in self.grammar.lines and rng.random() < _VAGUE_SHARE:
            second = rng.choice(self.grammar.lines[f"vague.{family}"])
            return self._pair(first, values, second, values, rng.choice((SAME, DIFFERENT)), rng)
        if rng.random() < _SAME_SHARE:
            second = rng.choice([t for t in self.grammar.lines[intent] if t != first])
            return self._pair(first, values, second, values, SAME, rng)
        if rng.random() < _OTHER_VALUE_SHARE:
            slot = rng.choice([slot for slot in BOUND_SLOTS if f"{{{slot}}}" in first])
            others = [word for word in self.grammar.words[slot] if word != values[slot]]
            second = rng.choice([t for t in self.grammar.lines[intent] if f"{{{slot}}}" in t])
            other_values = {**values, slot: rng.choice(others)}
            return self._pair(first, values, second, other_values, DIFFERENT, rng)
        if rng.random() < _OTHER_FAMILY_SHARE:
            family = rng.choice([f for f in self.families if f not in (family, "vague")])
        others = [name for name in self.families[family] if name != intent]
        second = rng.choice(self.grammar.lines[rng.choice(others)])
        return self._pair(first, values, second, values, DIFFERENT, rng)

    def _pair(
        self,
        first: str,
        first_values: Mapping[str, str],
        second: str,
        second_values: Mapping[str, str],
        label: str,
        rng: Random,
    ) -> PairLine:
        questions = [
            ask(self.grammar, first, first_values, rng),
            ask(self.grammar, second, second_values, rng),
        ]
        if rng.random() < 0.5:
            questions.reverse()
        return PairLine(sentence1=questions[0], sentence2=questions[1], label=label)


def ask(grammar: Grammar, template: str, values: Mapping[str, str], rng: Random) -> str:
    """Write a question as customers do, with a random greeting, typo and ending."""
    question = grammar.expand(template, rng, values).text
    if rng.random() < _TYPO_SHARE:
        question = misspell(question, rng)
    if rng.random() < _LEAD_SHARE:
        question = rng.choice(grammar.words["lead"]) + question
    if rng.random() < _TAIL_SHARE:
        asked = question.endswith(("吗", "呢"))
        tails = [t for t in grammar.words["tail"] if not (asked and t[0] in PARTICLES)]
        question += rng.choice(tails)
    return restyle(question, rng)


def families_of(grammar: Grammar) -> dict[str, tuple[str, ...]]:
    """Return the intents of each family, in the grammar's order."""
    families: dict[str, tuple[str, ...]] = {}
    for intent in grammar.lines:
        family = intent.partition(".")[0]
        families[family] = (*families.get(family, ()), intent)
    return families


def make_drawer() -> Callable[[Random], PairLine]:
    """Read the grammar of intents."""
    grammar = load_grammar(GRAMMAR_FOLDER / "afqmc.txt")
    return PairDrawer(grammar=grammar, families=families_of(grammar))


AFQMC = SampleTask(
    name="afqmc",
    labels=(ClassLabel(label=DIFFERENT, name="different"), ClassLabel(label=SAME, name="same")),
    make_drawer=make_drawer,
    train_lines=5000,
    dev_lines=600,
)
