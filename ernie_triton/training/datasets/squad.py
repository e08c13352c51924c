"""Questions with their contexts, from a JSON document in the format of CMRC2018 or SQuAD."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ernie_triton.errors import DatasetError, TextFileError
from ernie_triton.text_files import read_text_file
from ernie_triton.training.datasets.examples import AnswerSpan, LabelledText
from ernie_triton.training.datasets.lines import Record


def questions_in(path: Path) -> Iterator[tuple[Record, str]]:
    """Read each question's object in `data[].paragraphs[].qas[]`, and its context.

    Raises:
        DatasetError: the file has another form, or no question.
    """
    content = _content(path)
    try:
        document = json.loads(content)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: no JSON: {error.msg}; correct it") from error
    except RecursionError as error:
        raise DatasetError(f"{path}:1: no JSON: nested too deeply") from error
    place = _Place(content)
    count = 0
    for article in _objects(path, document, "data", place.line):
        for paragraph in _objects(path, article, "paragraphs", place.line):
            for values in _objects(path, paragraph, "qas", place.line):
                place.move_to(values.get("id"))
                record = Record(path=path, line=place.line, values=values)
                context = Record(path=path, line=place.line, values=paragraph).text("context")
                yield record, context
                count += 1
    if not count:
        raise DatasetError(f"{path}:1: the document has no question; expected examples")


class _Place:
    """Track the line number in the document by the ids of its questions.

    The ids come in the document's order; an id that is not found keeps the line number.
    """

    def __init__(self, content: str) -> None:
        self._content = content
        self._character = 0
        self.line = 1

    def move_to(self, id_: object) -> None:
        """Move to the next place of an id."""
        named = json.dumps(id_, ensure_ascii=False)
        found = self._content.find(f": {named}", self._character)
        found = self._content.find(f":{named}", self._character) if found < 0 else found
        if id_ is not None and found >= 0:
            self.line += self._content.count("\n", self._character, found)
            self._character = found


def question_example(record: Record, context: str, *, train: bool) -> tuple[LabelledText, bool]:
    """Make an example of a question, and tell if its answer's place was corrected.

    A training answer must occur in the context. If it is not at the given character, its nearest
    occurrence is taken. In the development set places do not count: answers are compared as texts.

    Raises:
        DatasetError: there is no list of answers, or the context lacks the first answer.
    """
    question = record.text("question")
    answers = _answers(record)
    target, moved = AnswerSpan(texts=tuple(text for text, _ in answers), start=-1), False
    if answers:
        text, start = answers[0]
        if context[start : start + len(text)] != text:
            start, moved = _nearest(context, text, start), True
        if start < 0 and train:
            raise record.error(f"the answer {text!r:.60} is not in the context; correct it")
        target = AnswerSpan(texts=target.texts, start=start)
    example = LabelledText(texts=(question, context), target=target, line=record.line)
    return example, moved and train


def _answers(record: Record) -> list[tuple[str, int]]:
    """Return text and first character of each answer; none for a question without an answer."""
    if record.values.get("is_impossible") is True:
        return []
    given = record.values[record.key("answers")]
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise record.error("answers is not a list of objects; expected a labelled split")
    answers = []
    for values in given:
        answer = Record(path=record.path, line=record.line, values=values)
        text = answer.text("text")
        if text:
            answers.append((text, int(answer.number("answer_start"))))
    return answers


def _nearest(context: str, text: str, start: int) -> int:
    """Return the occurrence of a text that is nearest to a place; -1 if there is none."""
    places = []
    place = context.find(text)
    while place >= 0:
        places.append(place)
        place = context.find(text, place + 1)
    return min(places, key=lambda place: abs(place - start), default=-1)


def _content(path: Path) -> str:
    try:
        return read_text_file(path)
    except TextFileError as error:
        raise DatasetError(str(error)) from error


def _objects(path: Path, parent: object, key: str, line: int) -> Sequence[dict[str, object]]:
    children = parent.get(key) if isinstance(parent, dict) else None
    if isinstance(children, list) and all(isinstance(child, dict) for child in children):
        return children
    raise DatasetError(
        f"{path}:{line}: no list of objects under {key!r}; expected data[].paragraphs[].qas[], as "
        "in CMRC2018 or SQuAD"
    )
