"""Draw questions with options: what a news title is about, and whether a review is good or bad.

Titles are TNEWS's, reviews those of `extraction`. The wrong options are other topics.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from samples.generators.extraction import REVIEWS
from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar
from samples.generators.tnews import NAMES
from samples.tasks import SampleTask

_TOPICS = (
    *("故事", "文化", "娱乐", "体育", "财经", "房产", "汽车", "教育"),
    *("科技", "军事", "旅游", "国际", "股票", "农业", "游戏"),
)
TOPIC_NAMES = dict(zip(NAMES, _TOPICS, strict=True))
"""The Chinese name of each class of TNEWS."""

_TOPIC_QUESTIONS = ("这是哪类新闻？", "这条新闻是关于什么的？", "标题说的是什么？")
_REVIEW_QUESTIONS = ("这是什么评价？", "顾客的评价怎么样？")
_REVIEW_OPTIONS = {"正向": "好评", "负向": "差评"}
_REVIEW_SHARE = 0.25
_MOST_OPTIONS = 4


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
    """Draw lines: `topics` has a grammar for each class of titles, `facts` the reviews."""

    topics: dict[str, Grammar]
    facts: Grammar

    def __call__(self, rng: Random) -> QuestionLine:
        """Draw one line, with two to four options."""
        if rng.random() < _REVIEW_SHARE:
            section = rng.choice(tuple(REVIEWS))
            right = _REVIEW_OPTIONS[REVIEWS[section]]
            others = [one for one in _REVIEW_OPTIONS.values() if one != right]
            grammar, question = self.facts, rng.choice(_REVIEW_QUESTIONS)
        else:
            number, section = rng.choice(tuple(self.topics)), "lines"
            right = TOPIC_NAMES[number]
            grammar, question = self.topics[number], rng.choice(_TOPIC_QUESTIONS)
            others = [one for one in TOPIC_NAMES.values() if one != right]
            others = rng.sample(others, rng.randint(1, _MOST_OPTIONS - 1))
        options = [right, *others]
        rng.shuffle(options)
        return QuestionLine(
            context=grammar.expand(rng.choice(grammar.lines[section]), rng).text,
            question=question,
            options=tuple(options),
            answer=options.index(right),
        )


def make_drawer() -> Callable[[Random], QuestionLine]:
    """Read the grammars of titles and reviews."""
    shared = load_grammar(GRAMMAR_FOLDER / "shared.txt")
    folder = GRAMMAR_FOLDER / "tnews"
    return QuestionDrawer(
        topics={n: load_grammar(folder / f"{n}_{NAMES[n]}.txt", shared) for n in NAMES},
        facts=load_grammar(GRAMMAR_FOLDER / "extraction.txt", shared),
    )


OPTIONS = SampleTask(
    name="choice",
    labels=(),
    make_drawer=make_drawer,
    train_lines=3000,
    dev_lines=400,
)
