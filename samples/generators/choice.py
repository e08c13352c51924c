"""Draw questions with options in C3's manner, about the facts of `extraction`.

A question asks for a relation of a company or person. The wrong options are of other lines, and do
not stand in the context.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.generators.extraction import AnnotatedLine
from samples.generators.extraction import make_drawer as make_fact_drawer
from samples.tasks import SampleTask

_ASKED = {
    "创始人": ("{}是谁创立的？", "{}的创始人是谁？"),
    "成立时间": ("{}是什么时候成立的？", "{}成立于何时？"),
    "总部": ("{}的总部在哪里？", "{}总部设在什么地方？"),
    "出生时间": ("{}是什么时候出生的？", "{}生于何时？"),
    "出生地": ("{}出生在哪里？", "{}是哪里人？"),
    "毕业院校": ("{}毕业于哪所学校？", "{}在哪里上的大学？"),
}
"""Questions for each relation, with a place for the company or person."""

_FEWEST_OPTIONS, _MOST_OPTIONS = 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionLine:
    """A context, a question, its options, and the place of the right one."""

    context: str
    question: str
    options: tuple[str, ...]
    answer: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the context."""
        return (self.context,)

    def to_json(self) -> dict[str, object]:
        """Return the four keys of a line."""
        return {
            "context": self.context,
            "question": self.question,
            "options": list(self.options),
            "answer": self.answer,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionDrawer:
    """Draw questions about the lines of another drawer."""

    facts: Callable[[Random], AnnotatedLine]

    def __call__(self, rng: Random) -> QuestionLine:
        """Draw one line, with two to four options."""
        line = self._with_relations(rng)
        subject, other, kind = rng.choice(line.relations)
        right = _words(line, other)
        options = [right]
        count = rng.randint(_FEWEST_OPTIONS, _MOST_OPTIONS)
        while len(options) < count:
            found = self._with_relations(rng)
            for _, place, its_kind in found.relations:
                word = _words(found, place)
                if its_kind == kind and word not in line.text and word not in options:
                    options.append(word)
                    break
        rng.shuffle(options)
        return QuestionLine(
            context=line.text,
            question=rng.choice(_ASKED[kind]).format(_words(line, subject)),
            options=tuple(options),
            answer=options.index(right),
        )

    def _with_relations(self, rng: Random) -> AnnotatedLine:
        while True:
            line = self.facts(rng)
            if line.relations:
                return line


def _words(line: AnnotatedLine, place: int) -> str:
    entity = line.entities[place]
    return line.text[entity.start : entity.end]


def make_drawer() -> Callable[[Random], QuestionLine]:
    """Read the grammar of facts."""
    return QuestionDrawer(facts=make_fact_drawer())


OPTIONS = SampleTask(
    name="choice",
    labels=(),
    make_drawer=make_drawer,
    train_lines=2400,
    dev_lines=300,
)
