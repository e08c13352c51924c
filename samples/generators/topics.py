"""Draw titles in TNEWS's classes and lines of no topic, to teach a large model both.

Titles are headlines; lines of no topic are sentences of `cloze` and `extraction`. What the model
answers for text from elsewhere, a tiny one learns: `samples.distillation`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.generators.headlines import HEADLINES
from samples.generators.no_topic import NoTopicDrawer, make_no_topic_drawer
from samples.generators.tnews import TNEWS
from samples.tasks import ClassLabel, SampleLine, SampleTask

NO_TOPIC = ClassLabel(label="none", name="none")

_NO_TOPIC_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainLine:
    """A sentence of no topic."""

    sentence: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the sentence."""
        return (self.sentence,)

    def to_json(self) -> dict[str, object]:
        """Return a line of TNEWS without keywords."""
        return {"label": NO_TOPIC.label, "label_desc": NO_TOPIC.name, "sentence": self.sentence}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDrawer:
    """Draw headlines, and lines of the tasks that have no topic."""

    titles: Callable[[Random], SampleLine]
    others: NoTopicDrawer

    def __call__(self, rng: Random) -> SampleLine:
        """Draw one line."""
        if rng.random() >= _NO_TOPIC_SHARE:
            return self.titles(rng)
        return PlainLine(sentence=self.others(rng))


def make_drawer() -> TopicDrawer:
    """Read the grammars of all three tasks."""
    return TopicDrawer(titles=HEADLINES.make_drawer(), others=make_no_topic_drawer())


TOPIC_LESSONS = SampleTask(
    name="topics",
    labels=(*TNEWS.labels, NO_TOPIC),
    make_drawer=make_drawer,
    train_lines=8_000,
    dev_lines=800,
)
