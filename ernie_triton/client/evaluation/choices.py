"""Score choices on labelled questions: accuracy, in the formats of CLUE's C3 and CHID.

C3 is one JSON document, `[[contexts, [{"question", "choice", "answer"}], id], …]`. CHID has JSON
lines with `content`, `candidates` and, beside them or as lists of `candidate_id`, `answers`. Others
write `context`, `question`, `options` and `answer`, the option's text or its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ernie_triton.client.evaluation.report import figure_lines
from ernie_triton.client.items import Item, items_from_objects
from ernie_triton.client.tasks.choice import ChosenOption
from ernie_triton.errors import DatasetError

_TAG = re.compile(r"#idiom\d+#")
_AROUND = 48
"""Characters of a passage on either side of a blank: a row of 128 tokens holds them."""
_BLANK, _OTHER_BLANK = "[MASK]", "[UNK]"
GOLD = "gold"


def items_from_choices(lines: Iterable[bytes]) -> Iterator[Item]:
    """One item for each question, with its options.

    Raises:
        DatasetError: it is a document, but none of C3.
    """
    every = [*lines]
    first = next((line for line in every if line.strip()), b"").removeprefix(b"\xef\xbb\xbf")
    if first.lstrip()[:1] == b"[":
        for line, record in enumerate(_c3_questions(every), 1):
            yield _item(line, record)
        return
    for line, item in enumerate(items_from_objects(every, _whole), 1):
        yield from _of_line(line, item)


class ChoiceScorer:
    """The share of questions whose right option was chosen."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._questions = self._right = 0

    def add(self, item: Item, result: ChosenOption) -> None:
        """Count one question."""
        self._questions += 1
        self._right += result.index == item.record[GOLD]

    def lines(self) -> list[str]:
        """The report for a reader."""
        return figure_lines({"questions": self._questions, "accuracy": self._accuracy})

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        return {"questions": self._questions, "accuracy": self._accuracy}

    @property
    def _accuracy(self) -> float:
        return self._right / self._questions if self._questions else 0.0


def _whole(line: int, record: dict[str, object]) -> Item:
    return Item(line=line, record=record)


def _of_line(line: int, item: Item) -> Iterator[Item]:
    if item.error or "candidates" not in item.record:
        yield item if item.error else _item(line, item.record)
        return
    for record in _idiom_questions(item.record):
        yield _item(line, record)


def _c3_questions(lines: Sequence[bytes]) -> Iterator[dict[str, object]]:
    try:
        document = json.loads(b"\n".join(lines).decode("utf-8-sig"))
        for contexts, questions, *_ in document:
            for question in questions:
                yield {**question, "context": "\n".join(contexts)}
    except (ValueError, TypeError, RecursionError) as error:
        raise DatasetError(
            f"no document of C3 ({error}); expected [[contexts, [questions], id], …], or JSON lines"
        ) from error


def _idiom_questions(record: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Each blank of CHID's passages, with the passage around it and the candidates as options."""
    contents, answers = record.get("content"), record.get("answers")
    places = answers.get("candidate_id") if isinstance(answers, Mapping) else None
    number = 0
    for content in [contents] if isinstance(contents, str) else contents or ():  # type: ignore[attr-defined]
        for tag in _TAG.finditer(str(content)):
            found = answers.get(tag[0]) if isinstance(answers, Mapping) else None
            if isinstance(places, list) and number < len(places):
                found = places[number]
            number += 1
            before, after = (
                _TAG.sub(_OTHER_BLANK, part)
                for part in (str(content)[: tag.start()], str(content)[tag.end() :])
            )
            yield {
                "context": f"{before[-_AROUND:]}{_BLANK}{after[:_AROUND]}",
                "question": "",
                "options": record["candidates"],
                "answer": found,
            }


def _item(line: int, record: Mapping[str, object]) -> Item:
    """The item of one question; its gold option is a place."""
    context, question = record.get("context"), record.get("question", "")
    if isinstance(context, list):
        context = "\n".join(map(str, context))
    options, answer = record.get("options", record.get("choice")), record.get("answer")
    if not isinstance(context, str) or not isinstance(question, str):
        found = ", ".join(record) or "no keys"
        return Item(line=line, error=f"the object has {found}, expected context and question")
    if not isinstance(options, list) or not all(isinstance(one, str) for one in options):
        return Item(line=line, error=f"options is {options!r:.40}, expected a list of strings")
    gold = options.index(answer) if answer in options else answer
    if not isinstance(gold, int) or not 0 <= gold < len(options):
        return Item(line=line, error=f"answer is {answer!r:.40}, expected an option or its place")
    return Item(line=line, texts=(context, question, *options), record={GOLD: gold})
