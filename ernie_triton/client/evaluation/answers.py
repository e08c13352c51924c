"""Score answers on a document of CMRC2018's or SQuAD's format: exact match and F1.

Both figures are those of CMRC2018's official script (github.com/ymcui/cmrc2018,
cmrc2018_evaluate.py). It ignores case and its list of punctuation. F1 rests on the longest common
run of segments; each Chinese character is one segment. The script splits the text between Chinese
characters with NLTK. Here a regular expression does: words and numbers stay whole, every other
character is a segment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ernie_triton.client.evaluation.report import figure_lines
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.qa import Answer
from ernie_triton.errors import DatasetError
from ernie_triton.text_table import Table

_PUNCTUATION = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_SEGMENT = re.compile(r"[\u4e00-\u9fa5]|[^\W\u4e00-\u9fa5]+(?:[.,][^\W\u4e00-\u9fa5]+)*|\S")


def items_from_squad(lines: Iterable[bytes]) -> list[Item]:
    """One item for each question of `data[].paragraphs[].qas[]`, with its context.

    The document is one JSON value, so it is read as a whole.

    Raises:
        DatasetError: it is no such document.
    """
    try:
        document = json.loads(b"\n".join(lines).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"no JSON document: {error}; evaluate on a file of CMRC2018's or SQuAD's format"
        ) from error
    examples = enumerate(_examples(document), 1)
    return [_item(number, context, example) for number, (context, example) in examples]


@dataclass(slots=True)
class _Sums:
    questions: int = 0
    exact: float = 0.0
    f1: float = 0.0

    def add(self, exact: float, f1: float) -> None:
        self.questions += 1
        self.exact += exact
        self.f1 += f1

    def as_json(self) -> dict[str, float]:
        count = max(self.questions, 1)
        return {
            "questions": self.questions,
            "exact_match": self.exact / count,
            "f1": self.f1 / count,
        }


class AnswerScorer:
    """Exact match and F1: for each question the best over its gold answers, then the mean.

    For a question without gold answers both are 1 if no answer is given, else 0, as in SQuAD 2.0.
    """

    def __init__(self) -> None:
        self._all = _Sums()
        self._answerable = _Sums()
        self._unanswerable = _Sums()

    def add(self, item: Item, result: Answer) -> None:
        """Count one question.

        Raises:
            DatasetError: it does not say whether it has answers.
        """
        golds = _gold_answers(item)
        if golds:
            exact = max(exact_match(gold, result.text) for gold in golds)
            f1 = max(overlap_f1(gold, result.text) for gold in golds)
        else:
            exact = f1 = float(not result.text)
        self._all.add(exact, f1)
        (self._answerable if golds else self._unanswerable).add(exact, f1)

    def lines(self) -> list[str]:
        """The report for a reader."""
        figures = self._all.as_json()
        head = figure_lines(
            {
                "questions": int(figures["questions"]),
                "exact match": figures["exact_match"],
                "F1": figures["f1"],
            }
        )
        if not (self._answerable.questions and self._unanswerable.questions):
            return head
        table = Table(("questions", "count", "exact match", "F1"))
        parts = {"with an answer": self._answerable, "without": self._unanswerable}
        rows = [
            (name, f"{part['questions']}", f"{part['exact_match']:.4f}", f"{part['f1']:.4f}")
            for name, part in ((name, sums.as_json()) for name, sums in parts.items())
        ]
        return [*head, "", *table.lines(rows)]

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        return {
            **self._all.as_json(),
            "answerable": self._answerable.as_json(),
            "unanswerable": self._unanswerable.as_json(),
        }


def exact_match(gold: str, answer: str) -> float:
    """1 where the answers are equal apart from case and punctuation, else 0."""
    return float(_stripped(gold) == _stripped(answer))


def overlap_f1(gold: str, answer: str) -> float:
    """F1 of the longest common run of segments; 0 where they share none."""
    golds = _SEGMENT.findall(_stripped(gold))
    answers = _SEGMENT.findall(_stripped(answer))
    common = _longest_common_run(golds, answers)
    return 2 * common / (len(golds) + len(answers)) if common else 0.0


def _examples(document: object) -> Iterator[tuple[object, Mapping[str, object]]]:
    """Each question's object with its context."""
    for article in _objects(document, "data"):
        for paragraph in _objects(article, "paragraphs"):
            for example in _objects(paragraph, "qas"):
                yield paragraph.get("context"), example


def _objects(parent: object, key: str) -> Sequence[Mapping[str, object]]:
    children = parent.get(key) if isinstance(parent, dict) else None
    if isinstance(children, list) and all(isinstance(child, dict) for child in children):
        return children
    raise DatasetError(
        f"no list of objects {key!r}, expected data[].paragraphs[].qas[]; evaluate on a file of "
        "CMRC2018's or SQuAD's format"
    )


def _item(number: int, context: object, example: Mapping[str, object]) -> Item:
    name = str(example.get("id", number))
    question = example.get("question")
    if isinstance(question, str) and isinstance(context, str):
        return Item(line=number, texts=(question, context), record=example, id=name)
    return Item(line=number, error="no question, or its paragraph has no context", id=name)


def _gold_answers(item: Item) -> list[str]:
    """The texts of the gold answers; none where the question has no answer."""
    if item.record.get("is_impossible") is True:
        return []
    answers = item.record.get("answers")
    objects = answers if isinstance(answers, list) else [None]
    texts = [one.get("text") if isinstance(one, dict) else None for one in objects]
    if not all(isinstance(text, str) for text in texts):
        raise DatasetError(
            f"{item.place}: no list of answers with a text each; evaluate on a labelled split "
            "(train or dev)"
        )
    return [str(text) for text in texts if text]


def _stripped(text: str) -> str:
    return text.lower().strip().translate(_PUNCTUATION)


def _longest_common_run(one: Sequence[str], two: Sequence[str]) -> int:
    """The length of the longest run of segments that both have."""
    longest = 0
    # For each segment of `two`: the length of the common run that ends there and at `segment`.
    runs = [0] * (len(two) + 1)
    for segment in one:
        ended = [runs[at] + 1 if segment == other else 0 for at, other in enumerate(two)]
        runs = [0, *ended]
        longest = max(longest, *runs)
    return longest
