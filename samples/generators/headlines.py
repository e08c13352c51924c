"""Draw headlines: TNEWS's format and classes, with thousands of words instead of hundreds.

They are for experiments in which capacity matters. Most words are rare, some titles name their
class by one proper name only, and in one of nine the label depends on the order of the words. The
data are not committed. The words and templates of `tnews` are part of the grammar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar
from samples.generators.tnews import (
    NAMES,
    NO_KEYWORDS_SHARE,
    TNEWS,
    TitleLine,
    decorate,
    keywords_of,
)
from samples.tasks import SampleTask

Kind = Literal["mixed", "digest", "composed", "plain", "long", "short"]

KIND_SHARES: Mapping[Kind, float] = {
    "mixed": 0.02,
    "digest": 0.07,
    "composed": 0.04,
    "plain": 0.05,
    "long": 0.57,
    "short": 0.25,
}
JOINTS = ("；", "；另有：", "。另：", "。同日：")
"""Between the two items of a digest, which is filed under its first."""

_NUMBERED_SHARE = 0.3
_TAIL_SHARE = 0.6
TAILED_BELOW = 12
CUT_FROM = 24
SKEW = 4.0
OWN_SLOTS = ("thing", "job", "field")
ROLE_SLOTS = tuple(f"{role}_{slot}" for role in ("topic", "other") for slot in OWN_SLOTS)
SHORTEST_WORD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineLine(TitleLine):
    """A title and its kind, which is not written to the file.

    `mixed`: two classes claim it and the label is drawn. `digest`: two short titles of different
    classes in a row, under the label of the first. `composed`: it names two classes, and the
    sentence says which it is about. `plain`: a template of no class around a word of the class.
    `long` and `short`: templates of the class, made for this task or for `tnews`.
    """

    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassGrammars:
    """Grammars of one class: `own` has its words and long lines, `short` its short lines.

    `own` inherits the words of `short` and of `shared.txt`.
    """

    own: Grammar
    short: Grammar


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineDrawer:
    """Draw headlines; every class is equally likely."""

    classes: Mapping[str, ClassGrammars]
    mixed: Grammar
    plain: Grammar
    composed: Grammar

    def __call__(self, rng: Random) -> HeadlineLine:
        """Draw one headline of a random class and kind."""
        label = rng.choice(tuple(self.classes))
        kind = rng.choices(tuple(KIND_SHARES), tuple(KIND_SHARES.values()))[0]
        grammar = self.classes[label].own
        if kind == "digest":
            return self._digest(label, rng)
        if kind == "composed":
            return self._composed(label, rng)
        if kind == "mixed":
            group = rng.choice(tuple(self.mixed.lines))
            label, grammar = rng.choice(group.split()), self.mixed
            template = rng.choice(self.mixed.lines[group])
        elif kind == "plain":
            template = rng.choice(self.plain.lines["plain"])
        elif kind == "long":
            template = rng.choice(grammar.lines["lines"])
        else:
            grammar = self.classes[label].short
            template = rng.choice(grammar.lines["lines"])
        expansion = grammar.expand(template, rng)
        words = keywords_of(expansion, grammar, rng)
        return self._finish(kind, label, expansion.text, words, rng)

    def _digest(self, label: str, rng: Random) -> HeadlineLine:
        """Draw two short titles, the first one of the label's class."""
        items, words = [], []
        for number in (label, self._another(label, rng)):
            grammar = self.classes[number].short
            expansion = grammar.expand(rng.choice(grammar.lines["lines"]), rng)
            items.append(expansion.text.rstrip("？！。"))
            words += keywords_of(expansion, grammar, rng)
        title = rng.choice(JOINTS).join(items)
        return self._finish("digest", label, title, words, rng)

    def _another(self, label: str, rng: Random) -> str:
        return rng.choice([number for number in self.classes if number != label])

    def _composed(self, label: str, rng: Random) -> HeadlineLine:
        """Draw a headline that names two classes and is about one of them."""
        other = self._another(label, rng)
        numbered = label in self.composed.lines and rng.random() < _NUMBERED_SHARE
        template = rng.choice(self.composed.lines[label if numbered else "any"])
        sides = {"topic": self.classes[label].own, "other": self.classes[other].own}
        bound = {
            name: sides[role].expand(f"{{{slot}}}", rng).text
            for name in ROLE_SLOTS
            if f"{{{name}}}" in template
            for role, slot in [name.split("_")]
        }
        text = self.composed.expand(template, rng, bound).text
        return self._finish("composed", label, text, list(bound.values()), rng)

    def _finish(
        self, kind: Kind, label: str, title: str, words: list[str], rng: Random
    ) -> HeadlineLine:
        has_room = kind != "digest" and rng.random() < _TAIL_SHARE
        if has_room or len(title) < TAILED_BELOW:
            tail = self.plain.expand(rng.choice(self.plain.lines["tails"]), rng).text
            title = title.rstrip("？！。") + tail
        may_cut = kind not in ("composed", "digest") and len(title) >= CUT_FROM
        sentence = decorate(title, self.plain, rng, may_cut=may_cut)
        present = [word for word in words if word in sentence]
        keywords = "" if rng.random() < NO_KEYWORDS_SHARE else ",".join(present)
        return HeadlineLine(label=label, sentence=sentence, keywords=keywords, kind=kind)


def make_drawer() -> HeadlineDrawer:
    """Read the grammars of the 15 classes, those of `tnews` included."""
    folder, short_folder = GRAMMAR_FOLDER / "headlines", GRAMMAR_FOLDER / "tnews"
    base = load_grammar(GRAMMAR_FOLDER / "shared.txt")
    plain = load_grammar(folder / "shared.txt", base, OWN_SLOTS)
    classes = {}
    for label, name in NAMES.items():
        file_name = f"{label}_{name}.txt"
        short = load_grammar(short_folder / file_name, plain, skew=SKEW)
        own = load_grammar(folder / file_name, short, skew=SKEW)
        classes[label] = ClassGrammars(own=own, short=short)
    return HeadlineDrawer(
        classes=classes,
        mixed=load_grammar(short_folder / "mixed.txt", base),
        plain=plain,
        composed=load_grammar(folder / "composed.txt", plain, ROLE_SLOTS),
    )


def read_lexicon() -> frozenset[str]:
    """Return every word of two characters or more in the grammars, as they list it.

    Entries with slots in them (a maker and a model, a sum of money) are no words and not counted.
    """
    entries: set[str] = set()
    for grammars in make_drawer().classes.values():
        for sections in (grammars.own.words, grammars.own.inherited):
            entries.update(word for words in sections.values() for word in words)
    return frozenset(w for w in entries if "{" not in w and len(w) >= SHORTEST_WORD)


HEADLINES = SampleTask(
    name="headlines",
    labels=TNEWS.labels,
    make_drawer=make_drawer,
    train_lines=20_000,
    dev_lines=2_000,
)
