"""Draw lines of doccano: companies and persons with their relations, and reviews of one sentiment.

A line is a clause or two of the grammar. The first mark of a company or person in a clause of facts
is what the other marks of the clause belong to: a mark's kind is then the relation, which tells
what the marked words are.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar, strip_marks
from samples.tasks import SampleTask

SENTIMENT = "情感倾向[正向,负向]"
OTHER_ENDS = {
    "创始人": "人物",
    "成立时间": "时间",
    "总部": "地点",
    "出生时间": "时间",
    "出生地": "地点",
    "毕业院校": "学校",
}
"""The label at the other end of each relation."""

_REVIEWS = {"positive": "正向", "negative": "负向"}
_REVIEW_SHARE = 0.25
_SECOND_CLAUSE_SHARE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedEntity:
    """Characters `start` to `end` (excluded) of a text, and what they are."""

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedLine:
    """A text with entities, relations between two of them by their places, and a class or none."""

    text: str
    entities: tuple[MarkedEntity, ...] = ()
    relations: tuple[tuple[int, int, str], ...] = ()
    option: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the text."""
        return (self.text,)

    def to_json(self) -> dict[str, object]:
        """Return a line of doccano."""
        entities = [
            {"id": id_, "label": one.label, "start_offset": one.start, "end_offset": one.end}
            for id_, one in enumerate(self.entities)
        ]
        relations = [
            {"from_id": subject, "to_id": other, "type": kind}
            for subject, other, kind in self.relations
        ]
        options = {"options": {SENTIMENT: self.option}} if self.option else {}
        return {"text": self.text, "entities": entities, "relations": relations, **options}

    def followed_by(self, other: "AnnotatedLine") -> "AnnotatedLine":
        """Return both lines as one."""
        shift, count = len(self.text), len(self.entities)
        moved = (
            dataclasses.replace(one, start=one.start + shift, end=one.end + shift)
            for one in other.entities
        )
        relations = ((one + count, two + count, kind) for one, two, kind in other.relations)
        return AnnotatedLine(
            text=self.text + other.text,
            entities=(*self.entities, *moved),
            relations=(*self.relations, *relations),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedDrawer:
    """Draw lines from one grammar."""

    grammar: Grammar

    def __call__(self, rng: Random) -> AnnotatedLine:
        """Draw one line."""
        if rng.random() < _REVIEW_SHARE:
            section = rng.choice(tuple(_REVIEWS))
            return AnnotatedLine(text=self._marked(section, rng), option=_REVIEWS[section])
        line = self._clause(rng)
        return line.followed_by(self._clause(rng)) if rng.random() < _SECOND_CLAUSE_SHARE else line

    def _clause(self, rng: Random) -> AnnotatedLine:
        text, spans = strip_marks(self._marked(rng.choice(("company", "person", "news")), rng))
        entities = tuple(
            MarkedEntity(label=OTHER_ENDS.get(span.kind, span.kind), start=span.start, end=span.end)
            for span in spans
        )
        subject = next((at for at, one in enumerate(spans) if one.kind not in OTHER_ENDS), 0)
        relations = tuple(
            (subject, at, span.kind) for at, span in enumerate(spans) if span.kind in OTHER_ENDS
        )
        return AnnotatedLine(text=text, entities=entities, relations=relations)

    def _marked(self, section: str, rng: Random) -> str:
        return self.grammar.expand(rng.choice(self.grammar.lines[section]), rng).text


def make_drawer() -> Callable[[Random], AnnotatedLine]:
    """Read the grammar of facts and reviews."""
    shared = load_grammar(GRAMMAR_FOLDER / "shared.txt")
    return AnnotatedDrawer(grammar=load_grammar(GRAMMAR_FOLDER / "extraction.txt", shared))


FACTS = SampleTask(
    name="extraction",
    labels=(),
    make_drawer=make_drawer,
    train_lines=1200,
    dev_lines=150,
)
