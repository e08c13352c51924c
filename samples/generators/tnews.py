"""Draw TNEWS's lines: short news titles in 15 classes."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.generators.grammar import GRAMMAR_FOLDER, Expansion, Grammar, load_grammar
from samples.generators.noise import misspell, restyle
from samples.tasks import ClassLabel, SampleTask

NAMES = {
    "100": "news_story",
    "101": "news_culture",
    "102": "news_entertainment",
    "103": "news_sports",
    "104": "news_finance",
    "106": "news_house",
    "107": "news_car",
    "108": "news_edu",
    "109": "news_tech",
    "110": "news_military",
    "112": "news_travel",
    "113": "news_world",
    "114": "news_stock",
    "115": "news_agriculture",
    "116": "news_game",
}
_MIXED_SHARE = 0.04
_OPENER_SHARE = 0.08
_CLOSER_SHARE = 0.16
_TYPO_SHARE = 0.1
_CUT_SHARE = 0.12
NO_KEYWORDS_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleLine:
    """A title, the number of its class, and its keywords joined by commas (perhaps none)."""

    label: str
    sentence: str
    keywords: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the title."""
        return (self.sentence,)

    def to_json(self) -> dict[str, object]:
        """Return the four keys of a TNEWS line."""
        return {
            "label": self.label,
            "label_desc": NAMES[self.label],
            "sentence": self.sentence,
            "keywords": self.keywords,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleDrawer:
    """Draw titles: a class's grammar, or a mixed one whose label is drawn between two classes."""

    classes: dict[str, Grammar]
    mixed: Grammar

    def __call__(self, rng: Random) -> TitleLine:
        """Draw one title; every class is equally likely."""
        if rng.random() < _MIXED_SHARE:
            group = rng.choice(tuple(self.mixed.lines))
            grammar, template = self.mixed, rng.choice(self.mixed.lines[group])
            label = rng.choice(group.split())
        else:
            label = rng.choice(tuple(self.classes))
            grammar = self.classes[label]
            template = rng.choice(grammar.lines["lines"])
        expansion = grammar.expand(template, rng)
        sentence = decorate(expansion.text, grammar, rng)
        words = keywords_of(expansion, grammar, rng)
        present = [word for word in words if word in sentence]
        keywords = "" if rng.random() < NO_KEYWORDS_SHARE else ",".join(present)
        return TitleLine(label=label, sentence=sentence, keywords=keywords)


def decorate(title: str, grammar: Grammar, rng: Random, *, may_cut: bool = True) -> str:
    """Cut, frame and misspell a clean title at random, as real ones are.

    Args:
        title: a title as its template gives it.
        grammar: what inherits the sections `opener` and `closer`.
        rng: the source of chance; its state advances.
        may_cut: false where the last clause decides the label and must stay.
    """
    if rng.random() < _CUT_SHARE and may_cut and "，" in title:
        title = title.rsplit("，", 1)[0]
    if rng.random() < _OPENER_SHARE:
        title = rng.choice(grammar.inherited["opener"]) + title
    if rng.random() < _CLOSER_SHARE:
        title = title.rstrip("？。！") + rng.choice(grammar.inherited["closer"])
    if rng.random() < _TYPO_SHARE:
        title = misspell(title, rng)
    return restyle(title, rng)


def keywords_of(expansion: Expansion, grammar: Grammar, rng: Random) -> list[str]:
    """Return up to four of the class's own words in a title, in their order."""
    own = [text for slot, text in expansion.slots if slot in grammar.words and len(text) <= 8]
    return list(dict.fromkeys(own))[: rng.randint(2, 4)]


def make_drawer() -> Callable[[Random], TitleLine]:
    """Read the grammars of the 15 classes."""
    folder = GRAMMAR_FOLDER / "tnews"
    shared = load_grammar(GRAMMAR_FOLDER / "shared.txt")
    classes = {
        label: load_grammar(folder / f"{label}_{name}.txt", shared) for label, name in NAMES.items()
    }
    return TitleDrawer(classes=classes, mixed=load_grammar(folder / "mixed.txt", shared))


TNEWS = SampleTask(
    name="tnews",
    labels=tuple(ClassLabel(label=label, name=name) for label, name in NAMES.items()),
    make_drawer=make_drawer,
    train_lines=4500,
    dev_lines=600,
)
