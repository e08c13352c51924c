"""Draw texts with one masked character that the rest decides: `{"text", "answer"}`.

A template marks the characters that may be masked, such as the measure word of a noun.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.augmentation import MASK
from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar, strip_marks
from samples.tasks import SampleTask

_SECOND_SHARE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class GapLine:
    """A text, and the place of the character that is masked."""

    sentence: str
    place: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the whole text."""
        return (self.sentence,)

    def to_json(self) -> dict[str, object]:
        """Return the two keys of a line."""
        before, after = self.sentence[: self.place], self.sentence[self.place + 1 :]
        return {"text": f"{before}{MASK}{after}", "answer": self.sentence[self.place]}


@dataclass(frozen=True, slots=True, kw_only=True)
class GapDrawer:
    """Draw lines from one grammar; every section of templates is equally likely."""

    grammar: Grammar

    def __call__(self, rng: Random) -> GapLine:
        """Draw one line, of one sentence or two."""
        drawn = [self._sentence(rng) for _ in range(1 + (rng.random() < _SECOND_SHARE))]
        text, spans = strip_marks("".join(drawn))
        return GapLine(sentence=text, place=rng.choice(spans).start)

    def _sentence(self, rng: Random) -> str:
        templates = self.grammar.lines[rng.choice(tuple(self.grammar.lines))]
        return self.grammar.expand(rng.choice(templates), rng).text


def make_drawer() -> Callable[[Random], GapLine]:
    """Read the grammar of sentences."""
    shared = load_grammar(GRAMMAR_FOLDER / "shared.txt")
    return GapDrawer(grammar=load_grammar(GRAMMAR_FOLDER / "cloze.txt", shared))


GAPS = SampleTask(
    name="cloze",
    labels=(),
    make_drawer=make_drawer,
    train_lines=3000,
    dev_lines=400,
)
