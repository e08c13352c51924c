"""Draw news lines on up to three topics: `{"sentence": ..., "labels": ["finance", "tech"]}`.

A line joins clauses of TNEWS's titles, each of another class, as a morning digest does; or it is
one of the lines that two classes claim, and carries both; or it is about none of the topics.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar
from samples.generators.noise import misspell, restyle
from samples.generators.tnews import NAMES
from samples.tasks import ClassLabel, SampleTask

TOPICS = {
    number: NAMES[number].removeprefix("news_")
    for number in ("102", "103", "104", "106", "107", "108", "109", "110", "112", "115")
}
COUNT_WEIGHTS = (12, 34, 36, 18)
_CLAIMED_SHARE = 0.12
_TYPO_SHARE = 0.06
_HEADED_SHARE = 0.3
_LONG_CLAUSE_SHARE = 0.65


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicsLine:
    """A text and its topics, in the order of the labels."""

    sentence: str
    labels: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the text."""
        return (self.sentence,)

    def to_json(self) -> dict[str, object]:
        """Return the two keys of a line."""
        return {"sentence": self.sentence, "labels": list(self.labels)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestDrawer:
    """Draw lines: `topics` has a grammar for each class, `own` the neutral lines and joints."""

    topics: Mapping[str, Grammar]
    mixed: Grammar
    own: Grammar

    def __call__(self, rng: Random) -> TopicsLine:
        """Draw one line."""
        if rng.random() < _CLAIMED_SHARE:
            claimed = [g for g in self.mixed.lines if set(g.split()) <= set(TOPICS)]
            group = rng.choice(claimed)
            text = self.mixed.expand(rng.choice(self.mixed.lines[group]), rng).text
            chosen = group.split()
        else:
            count = rng.choices(range(len(COUNT_WEIGHTS)), COUNT_WEIGHTS)[0]
            chosen = rng.sample(tuple(TOPICS), count)
            text = self._join([self._clause(number, rng) for number in chosen], rng)
        if rng.random() < _TYPO_SHARE:
            text = misspell(text, rng)
        labels = tuple(name for number, name in TOPICS.items() if number in chosen)
        return TopicsLine(sentence=restyle(text, rng), labels=labels)

    def _clause(self, number: str, rng: Random) -> str:
        grammar = self.topics[number]
        clause = grammar.expand(rng.choice(grammar.lines["lines"]), rng).text
        if "，" in clause and rng.random() >= _LONG_CLAUSE_SHARE:
            clause = max(clause.split("，"), key=len)
        return clause

    def _join(self, clauses: list[str], rng: Random) -> str:
        if len(clauses) < 2:
            neutral = self.own.expand(rng.choice(self.own.lines["neutral"]), rng).text
            if not clauses:
                return neutral
            if rng.random() < 0.7:
                return clauses[0]
            clauses = [*clauses, neutral]
        text = rng.choice(self.own.words["joint"]).join(clauses)
        if rng.random() < _HEADED_SHARE:
            text = self.own.expand("{head}", rng).text + text
        return text


def make_drawer() -> Callable[[Random], TopicsLine]:
    """Read TNEWS's grammars of the topics, and the neutral lines."""
    shared = load_grammar(GRAMMAR_FOLDER / "shared.txt")
    folder = GRAMMAR_FOLDER / "tnews"
    return DigestDrawer(
        topics={n: load_grammar(folder / f"{n}_{NAMES[n]}.txt", shared) for n in TOPICS},
        mixed=load_grammar(folder / "mixed.txt", shared),
        own=load_grammar(GRAMMAR_FOLDER / "multi_label.txt", shared),
    )


MULTI_TOPIC = SampleTask(
    name="multi_label",
    labels=tuple(ClassLabel(label=name, name=name) for name in TOPICS.values()),
    make_drawer=make_drawer,
    train_lines=3000,
    dev_lines=400,
)
