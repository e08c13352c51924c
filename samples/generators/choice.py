"""Draw questions with options in C3's manner: who did what, or what was praised and what blamed.

A context is two or three clauses. A clause says one thing (`what`) of one person or aspect (`who`).
A question asks for one of the two; the options are those of the context, and others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar
from samples.tasks import SampleTask

_FACTS = ("went", "bought", "likes", "learns")
_OPINIONS = ("good", "bad")
_OPINION_SHARE = 0.5
_MOST_CLAUSES = 3
_OPTIONS = 4


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
    """Draw lines from one grammar."""

    grammar: Grammar

    def __call__(self, rng: Random) -> QuestionLine:
        """Draw one line, with two to four options."""
        is_opinion = rng.random() < _OPINION_SHARE
        count = rng.randint(2, _MOST_CLAUSES)
        who = self._different("aspect" if is_opinion else "name", _OPTIONS, rng)
        if is_opinion:
            kind = rng.choice(_OPINIONS)
            (other,) = set(_OPINIONS) - {kind}
            kinds = [kind, *[other] * (count - 1)]  # one answer alone is right
            asked, options, what = "who", who, [""] * count
        else:
            kind = rng.choice(_FACTS)
            kinds = [kind] * count
            what = self._different(f"{kind}_what", _OPTIONS, rng)
            asked = rng.choice(("who", "what"))
            options = who if asked == "who" else what
        said = [
            self._filled(one, {"who": who[place], "what": what[place]}, rng)
            for place, one in enumerate(kinds)
        ]
        values = {"who": who[0], "what": what[0]}
        question = self._filled(f"{kind}_{asked}_asked", values, rng)
        rng.shuffle(said)
        offered = options[: rng.randint(count, _OPTIONS)]
        answer = offered[0]
        rng.shuffle(offered)
        context = self._filled("opening", {}, rng) + "，".join(said) + "。"
        return QuestionLine(
            context=context,
            question=question,
            options=tuple(offered),
            answer=offered.index(answer),
        )

    def _filled(self, section: str, values: dict[str, str], rng: Random) -> str:
        return self.grammar.expand(rng.choice(self.grammar.lines[section]), rng, values).text

    def _different(self, slot: str, count: int, rng: Random) -> list[str]:
        """Draw so many different values of a slot; none is a part of another."""
        drawn: list[str] = []
        while len(drawn) < count:
            value = self.grammar.expand(f"{{{slot}}}", rng).text
            if not any(value in one or one in value for one in drawn):
                drawn.append(value)
        return drawn


def make_drawer() -> Callable[[Random], QuestionLine]:
    """Read the grammar of clauses and questions."""
    shared = load_grammar(GRAMMAR_FOLDER / "shared.txt")
    bound = ("who", "what")
    return QuestionDrawer(grammar=load_grammar(GRAMMAR_FOLDER / "choice.txt", shared, bound))


QUESTIONS = SampleTask(
    name="choice",
    labels=(),
    make_drawer=make_drawer,
    train_lines=2400,
    dev_lines=300,
)
