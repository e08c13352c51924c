"""Draw sentences of no topic: those that `cloze` and `extraction` have."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.generators.cloze import GAPS
from samples.generators.extraction import FACTS
from samples.tasks import SampleLine


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTopicDrawer:
    """Draw the sentences of one line of a task without topics."""

    lines: tuple[Callable[[Random], SampleLine], ...]

    def __call__(self, rng: Random) -> str:
        """Draw one text."""
        return "".join(rng.choice(self.lines)(rng).sentences)


def make_no_topic_drawer() -> NoTopicDrawer:
    """Read the grammars of both tasks."""
    return NoTopicDrawer(lines=tuple(task.make_drawer() for task in (GAPS, FACTS)))
