"""Draw lines on up to three topics as `multi_label` has them, with the words of headlines.

They are lessons beside the lines of `multi_label`, whose grammar has few words: headlines of
different topics in a row, or sentences of no topic, as `cloze` and `extraction` have them.
"""

from dataclasses import dataclass
from random import Random

from samples.generators.headlines import JOINTS, HeadlineDrawer
from samples.generators.headlines import make_drawer as make_headline_drawer
from samples.generators.multi_label import MULTI_TOPIC, TOPICS, TopicsLine
from samples.generators.no_topic import NoTopicDrawer, make_no_topic_drawer
from samples.tasks import SampleTask

_COUNT_WEIGHTS = (30, 45, 18, 7)
_CLEAR_KINDS = ("long", "short", "plain")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadlineDigestDrawer:
    """Draw headlines in a row, and lines of the tasks that have no topic."""

    titles: HeadlineDrawer
    others: NoTopicDrawer

    def __call__(self, rng: Random) -> TopicsLine:
        """Draw one line."""
        count = rng.choices(range(len(_COUNT_WEIGHTS)), _COUNT_WEIGHTS)[0]
        if not count:
            return TopicsLine(sentence=self.others(rng), labels=())
        titles: dict[str, str] = {}
        while len(titles) < count:
            title = self.titles(rng)
            if title.label in TOPICS and title.kind in _CLEAR_KINDS:
                titles.setdefault(title.label, title.sentence)
        sentence = rng.choice(JOINTS).join(titles.values())
        labels = tuple(name for number, name in TOPICS.items() if number in titles)
        return TopicsLine(sentence=sentence, labels=labels)


def make_drawer() -> HeadlineDigestDrawer:
    """Read the grammars of all three tasks."""
    return HeadlineDigestDrawer(titles=make_headline_drawer(), others=make_no_topic_drawer())


DIGESTS = SampleTask(
    name="digests",
    labels=MULTI_TOPIC.labels,
    make_drawer=make_drawer,
    train_lines=8_000,
    dev_lines=800,
)
