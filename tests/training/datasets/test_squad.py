"""Questions come in one JSON document."""

from pathlib import Path
from typing import Any

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets import AnswerSpan, DataSet, read_dataset
from tests.training.datasets.folders import document, write

CONTEXT = "范廷颂是越南罗马天主教枢机，1963年被任为主教，1990年被擢升。1963年很冷。"


def question(number: int, *answers: tuple[str, int], **more: Any) -> dict[str, Any]:
    return {
        "question": "范廷颂是何时被任为主教的？",
        "id": f"TRAIN_186_QUERY_{number}",
        "answers": [{"text": text, "answer_start": start} for text, start in answers],
        **more,
    }


def paragraph(*questions: dict[str, Any]) -> dict[str, Any]:
    return {"id": "TRAIN_186", "context": CONTEXT, "qas": list(questions)}


GOOD = paragraph(question(0, ("1963年", 14)))


def read(folder: Path, train: str, dev: str = "") -> DataSet:
    return read_dataset("qa", write(folder, train=train, dev=dev or document(GOOD)))


def test_the_first_answer_is_learned_and_all_are_gold(tmp_path: Path) -> None:
    twice = paragraph(question(0, ("1963年", 14), ("在1963年", -1)), question(1))
    data = read(tmp_path, document(GOOD, twice))
    assert data.train[1].target == AnswerSpan(texts=("1963年", "在1963年"), start=14)
    assert data.train[2].target == AnswerSpan(texts=(), start=-1)
    assert data.train[0].texts == ("范廷颂是何时被任为主教的？", CONTEXT)
    assert (data.name, data.pair, data.labels, data.notes) == ("cmrc2018", True, (), ())


def test_a_question_is_named_by_its_line(tmp_path: Path) -> None:
    data = read(tmp_path, document(GOOD, paragraph(question(1), question(2))))
    lines = document(GOOD, paragraph(question(1), question(2))).splitlines()
    stands = [at for at, line in enumerate(lines, 1) if "_QUERY_" in line]
    assert [one.line for one in data.train] == stands


def test_an_answer_at_another_place_is_found_and_counted(tmp_path: Path) -> None:
    data = read(
        tmp_path, document(paragraph(question(0, ("1963年", 33)), question(1, ("枢机", 11))))
    )
    assert [one.target.start for one in data.train] == [CONTEXT.rindex("1963年"), 11]  # type: ignore[union-attr]
    assert data.notes == (
        f"{tmp_path}/train.json: 1 of 2 answers did not stand where answer_start says and were "
        "found elsewhere in their context",
    )


def test_impossible_questions_have_no_answer(tmp_path: Path) -> None:
    data = read(tmp_path, document(paragraph(question(0, ("枢机", 11), is_impossible=True))))
    assert data.train[0].target == AnswerSpan(texts=(), start=-1)


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        ("{", "{", "no JSON: "),
        ('{"data": [\n{"paragraphs": [}]}', "}]}", "no JSON: "),
        ('{"data": 3}', "3", "no list of objects under 'data'; expected data[].paragraphs[].qas[]"),
        ('{"data": []}', "[", "the document has no question"),
        ('{"data": [{"paragraphs": [{"qas": 0}]}]}', "0", "no list of objects under 'qas'"),
        (
            document(GOOD, paragraph(question(1, ("教皇", 3)))),
            "QUERY_1",
            "the answer '教皇' is not in the context",
        ),
        (document({"qas": [question(0)]}), "QUERY_0", "the object has qas; expected context"),
        (document(paragraph({"id": 7, "question": 1})), ": 7", "question is 1; expected a string"),
        (document(paragraph({"id": "a", "question": "？"})), '"a"', "the object has id, question;"),
        (
            document(paragraph(question(0) | {"answers": ["x"]})),
            "QUERY_0",
            "answers is not a list of objects",
        ),
    ],
)
def test_a_broken_document_is_named_with_its_line(
    tmp_path: Path, content: str, place: str, message: str
) -> None:
    line = content[: content.index(place)].count("\n") + 1
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path}/train.json:{line}: {message}")


def test_answers_of_the_development_set_need_no_place(tmp_path: Path) -> None:
    data = read(tmp_path, document(GOOD), document(paragraph(question(0, ("教皇", 3)))))
    assert data.dev[0].target == AnswerSpan(texts=("教皇",), start=-1)
