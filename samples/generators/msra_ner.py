"""Draw MSRA_NER's lines: characters with BIO labels of persons, organisations and places.

A line is a clause or two of the grammar, whose entities are marked. Real texts' dirt changes single
characters only, so every label stays where it was.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar, strip_marks
from samples.generators.noise import restyle, swap_homophone
from samples.tasks import ClassLabel, SampleTask

ENTITY_LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
_SECOND_CLAUSE_SHARE = 0.25
_LINE_END_SHARE = 0.5
_TYPO_SHARE = 0.08
_FULL_WIDTH_SHARE = 0.05
_RUN_ON = re.compile(
    r"(?<=[A-Za-z0-9])(?=<\w+:[A-Za-z0-9])|(?<=[A-Za-z0-9]>)(?=(?:<\w+:)?[A-Za-z0-9])"
)
"""Matches a mark inside a Latin word or a number, where a space must part the two."""
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code).isalnum()}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedLine:
    """Characters, and the label of each."""

    tokens: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the text."""
        return ("".join(self.tokens),)

    def to_json(self) -> dict[str, object]:
        """Return the two keys of a line."""
        return {"tokens": list(self.tokens), "labels": list(self.labels)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedDrawer:
    """Draw lines from one grammar."""

    grammar: Grammar

    def __call__(self, rng: Random) -> TaggedLine:
        """Draw one line."""
        marked = self._clause(rng)
        if rng.random() < _SECOND_CLAUSE_SHARE:
            marked += rng.choice("，。；") + self._clause(rng)
        if rng.random() < _LINE_END_SHARE:
            marked += rng.choice("。。。！？")
        text, spans = strip_marks(_RUN_ON.sub(" ", marked))
        labels = ["O"] * len(text)
        for span in spans:
            labels[span.start] = f"B-{span.kind}"
            labels[span.start + 1 : span.end] = [f"I-{span.kind}"] * (span.end - span.start - 1)
        return TaggedLine(tokens=tuple(self._soil(text, labels, rng)), labels=tuple(labels))

    def _clause(self, rng: Random) -> str:
        return self.grammar.expand(rng.choice(self.grammar.lines["lines"]), rng).text

    def _soil(self, text: str, labels: list[str], rng: Random) -> str:
        if rng.random() < _TYPO_SHARE:
            text = swap_homophone(text, [i for i, label in enumerate(labels) if label == "O"], rng)
        if rng.random() < _FULL_WIDTH_SHARE:
            return text.translate(_FULL_WIDTH)
        return restyle(text, rng)


def make_drawer() -> Callable[[Random], TaggedLine]:
    """Read the grammar of entities."""
    shared = load_grammar(GRAMMAR_FOLDER / "shared.txt")
    return TaggedDrawer(grammar=load_grammar(GRAMMAR_FOLDER / "msra_ner.txt", shared))


MSRA_NER = SampleTask(
    name="msra_ner",
    labels=tuple(ClassLabel(label=label, name=label) for label in ENTITY_LABELS),
    make_drawer=make_drawer,
    train_lines=2400,
    dev_lines=300,
)
