"""Draw articles in CMRC 2018's format (SQuAD's), with questions about facts in them.

A domain's grammar has facts with marked answers and the questions about each. An article states
some of the facts among other sentences; a question about a fact that it leaves out has no answer,
as in SQuAD 2.0. In a quarter of the articles a second subject of the same kind has facts too.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from samples.generators.grammar import GRAMMAR_FOLDER, Grammar, load_grammar, strip_marks
from samples.tasks import SampleLine, SampleTask

VERSION = "v1.0"
_SECOND_SUBJECT_SHARE = 0.25
MOST_QUESTIONS = 6
MOST_FACTS = 8
MOST_FILLERS = 9
_UNANSWERABLE_SHARE = 0.18
SHORTEST, LONGEST = 50, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, its answer, and the answer's first character in the context (None: no answer)."""

    question: str
    answer: str
    answer_start: int | None

    def to_json(self) -> dict[str, object]:
        """Return the keys of SQuAD, without the id."""
        found = self.answer_start is not None
        answers = [{"text": self.answer, "answer_start": self.answer_start}] if found else []
        return {"question": self.question, "answers": answers, "is_impossible": not found}


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """A context of several sentences, its subject, and questions about it."""

    title: str
    context: str
    questions: tuple[Question, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the context, so that no context stands in both splits."""
        return (self.context,)

    def to_json(self) -> dict[str, object]:
        """Return the article's keys without the ids, which depend on the file."""
        qas = [question.to_json() for question in self.questions]
        return {"title": self.title, "paragraphs": [{"context": self.context, "qas": qas}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArticleDrawer:
    """Draw articles; every domain is equally likely."""

    domains: tuple[Grammar, ...]

    def __call__(self, rng: Random) -> Article:
        """Draw one article of 50 to 400 characters."""
        while True:
            article = self._draw(rng.choice(self.domains), rng)
            if SHORTEST <= len(article.context) <= LONGEST:
                return article

    def _draw(self, domain: Grammar, rng: Random) -> Article:
        title, other = (domain.expand("{title}", rng).text for _ in range(2))
        two = other != title and rng.random() < _SECOND_SUBJECT_SHARE
        marked = self._facts(domain, title, rng, rng.randint(2, MOST_FACTS), named=two)
        if two:
            foreign = self._facts(domain, other, rng, 2, named=True)
            marked += [_without_answers(sentence) for sentence in foreign]
        fillers = rng.sample(domain.lines["filler"], rng.randint(0, MOST_FILLERS))
        marked += [domain.expand(template, rng, {"t": title}).text for template in fillers]
        rng.shuffle(marked)
        opening = domain.expand(rng.choice(domain.lines["opening"]), rng, {"t": title}).text
        context, spans = strip_marks("".join([opening, *marked]))
        answers = {span.kind: (span.start, span.end) for span in spans}
        questions = self._questions(domain, title, context, answers, rng)
        return Article(title=title, context=context, questions=questions)

    def _facts(
        self, domain: Grammar, title: str, rng: Random, count: int, *, named: bool
    ) -> list[str]:
        topics = [name for name in domain.lines if name.startswith("fact.")]
        chosen = rng.sample(topics, min(count, len(topics)))
        sentences = []
        for topic in chosen:
            templates = [t for t in domain.lines[topic] if not named or "{t}" in t]
            sentences.append(domain.expand(rng.choice(templates), rng, {"t": title}).text)
        return sentences

    def _questions(
        self,
        domain: Grammar,
        title: str,
        context: str,
        answers: Mapping[str, tuple[int, int]],
        rng: Random,
    ) -> tuple[Question, ...]:
        keys = [name.removeprefix("ask.") for name in domain.lines if name.startswith("ask.")]
        absent = [key for key in keys if key not in answers]
        present = [key for key in keys if key in answers]
        chosen = rng.sample(present, min(len(present), rng.randint(2, MOST_QUESTIONS)))
        if absent and rng.random() < _UNANSWERABLE_SHARE * len(chosen):
            chosen.append(rng.choice(absent))
        questions = []
        for key in chosen:
            template = rng.choice(domain.lines[f"ask.{key}"])
            text = domain.expand(template, rng, {"t": title}).text
            start, end = answers.get(key, (0, 0))
            found = start if key in answers else None
            questions.append(Question(question=text, answer=context[start:end], answer_start=found))
        return tuple(questions)


def _without_answers(marked: str) -> str:
    return strip_marks(marked)[0]


def write_articles(path: Path, lines: Sequence[SampleLine]) -> Path:
    """Write a split as SQuAD lays it out, an article a line, with CMRC's ids; returns the path."""
    articles = []
    for number, line in enumerate(lines):
        record = json.loads(json.dumps(line.to_json()))
        name = f"{path.stem.upper()}_{number}"
        paragraph = record["paragraphs"][0]
        qas = [{"id": f"{name}_QUERY_{i}", **qa} for i, qa in enumerate(paragraph["qas"])]
        paragraphs = [{"id": name, "context": paragraph["context"], "qas": qas}]
        article = {"id": name, "title": record["title"], "paragraphs": paragraphs}
        articles.append(json.dumps(article, ensure_ascii=False))
    text = ",\n".join(articles)
    head = json.dumps({"version": VERSION})[:-1]
    path.write_text(f'{head}, "data": [\n{text}\n]}}\n', encoding="utf-8", newline="\n")
    return path


def make_drawer() -> Callable[[Random], Article]:
    """Read the grammars of all domains."""
    shared = load_grammar(GRAMMAR_FOLDER / "shared.txt")
    paths = sorted((GRAMMAR_FOLDER / "cmrc2018").glob("*.txt"))
    return ArticleDrawer(domains=tuple(load_grammar(path, shared) for path in paths))


CMRC2018 = SampleTask(
    name="cmrc2018",
    labels=(),
    make_drawer=make_drawer,
    train_lines=800,
    dev_lines=100,
    write_split=write_articles,
)
