"""The question command, over a model in memory and against a real gRPC server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.fakes import FakeModel, refuse_texts_with
from tests.client.task_fakes import qa_model
from tests.commands import command

main = command("ask", "qa")


@pytest.fixture
def model(serve: Callable[[FakeModel], FakeModel]) -> FakeModel:
    """A reader in memory, at the far end of every transport that a command makes."""
    return serve(qa_model())


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("model")
def test_questions_give_a_table_of_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["--question", "何京", "--context", "北京", "--question", "沪", "--context", "x"]) == 0
    )
    assert capsys.readouterr().out.splitlines() == [
        "line  answer  score   start  end  question  context",
        "----  ------  ------  -----  ---  --------  -------",
        "1     京      0.5000  1      2    何京      北京",
        "2     (none)  0.2500  -1     -1   沪        x",
    ]


@pytest.mark.usefixtures("model")
def test_candidates_are_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--question", "京", "--context", "北京"]
    best = {"answer": "京", "score": 0.5, "start": 1, "end": 2}
    none = {"answer": "", "score": 0.25, "start": -1, "end": -1}
    assert main([*arguments, "--json"]) == 0
    assert records(capsys.readouterr().out) == [{"line": 1, **best}]
    assert main([*arguments, "--json", "--n-best", "5"]) == 0
    assert records(capsys.readouterr().out) == [{"line": 1, **best, "n_best": [best, none]}]
    assert main([*arguments, "--n-best", "2"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[:2] for row in rows] == [["1", "京"], ["(none)", "0.2500"]]


def test_one_context_from_a_file_serves_all_questions(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "context.txt"
    path.write_bytes("第一行\r\n北京".encode())
    arguments = ["--question", "京", "--question", "北", "--context-file", str(path), "--json"]
    assert main(arguments) == 0
    found = records(capsys.readouterr().out)
    assert [record["start"] for record in found] == [6, 5]
    assert model.requests[0].columns["context"] == [path.read_bytes()] * 2


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_context_file_that_cannot_be_read_is_named_in_one_line(
    content: bytes | None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "context.txt"
    if content is not None:
        path.write_bytes(content)
    assert main(["--question", "京", "--context-file", str(path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: {path} ")
    assert len(err.splitlines()) == 1


@pytest.mark.usefixtures("model")
def test_questions_come_from_text_and_json_lines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text, jsonl = tmp_path / "questions.txt", tmp_path / "questions.jsonl"
    text.write_text("京\t北京\n无\n")
    jsonl.write_text('{"question": "京", "context": "北京"}\n{"question": "京"}\n')
    for path in (text, jsonl):
        assert main(["--file", str(path), "--json"]) == 1
        out, err = capsys.readouterr()
        first, second = records(out)
        assert first["answer"] == "京"
        assert "error" in second
        assert "line 2:" in err


def document(tmp_path: Path) -> Path:
    def example(name: str, question: str, *answers: str) -> dict[str, object]:
        golds = [{"text": answer, "answer_start": 0} for answer in answers]
        return {"id": name, "question": question, "answers": golds}

    paragraphs = [
        {
            "context": "北京。",
            "qas": [example("Q1", "京", "东京", "京！"), example("Q2", "沪", "京")],
        },
        {"context": "东方", "qas": [example("Q3", "沪"), {**example("Q4", "方"), "answers": []}]},
        {"context": "!", "qas": [example("Q5", "!", "x")]},
    ]
    path = tmp_path / "dev.json"
    content = {"version": "v1.0", "data": [{"title": "t", "paragraphs": paragraphs}]}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1))
    return path


def test_a_document_is_scored_as_cmrc2018_and_squad_define(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model.fault = refuse_texts_with("!")
    path, output = document(tmp_path), tmp_path / "answers.jsonl"
    # Q1 京: equal to 京！ without punctuation. Q2: nothing given, wrong. Q3: right. Q4: wrong.
    assert main(["--evaluate", str(path), "--output", str(output)]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "questions    4",
        "exact match  0.5000",
        "F1           0.5000",
        "",
        "questions       count  exact match  F1",
        "--------------  -----  -----------  ------",
        "with an answer  2      0.5000       0.5000",
        "without         2      0.5000       0.5000",
    ]
    assert "example Q5: the server refused: !" in err
    found = records(output.read_text())
    assert [(one["line"], one["id"]) for one in found] == [(n, f"Q{n}") for n in range(1, 6)]
    assert main(["--evaluate", str(path), "--json"]) == 1
    [scores] = records(capsys.readouterr().out)
    assert scores["unanswerable"] == {"questions": 2, "exact_match": 0.5, "f1": 0.5}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "no JSON document"),
        ('{"question": "a"}', "no list of objects 'data', expected data[].paragraphs[].qas[]"),
        ('{"data": [{"paragraphs": [{"context": "x"}]}]}', "no list of objects 'qas'"),
        (
            '{"data": [{"paragraphs": [{"context": "x", "qas": [{"id": "Q", "question": "x"}]}]}]}',
            "example Q: no list of answers",
        ),
    ],
)
def test_another_document_is_refused_in_one_line(
    content: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "dev.json"
    path.write_text(content)
    assert main(["--evaluate", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--question", "a"], "--context is missing"),
        (["--context", "a"], "--question is missing"),
        (
            [*["--question", "a"] * 3, *["--context", "x"] * 2],
            "3 --question, 2 --context",
        ),
        (["--question", "a", "--context", "x", "--n-best", "0"], "0 is not at least 1"),
    ],
)
def test_wrong_usage_exits_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_the_command_reaches_a_real_server(
    grpc_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", grpc_url, "--question", "京", "--context", "北京", "--json"]) == 0
    assert records(capsys.readouterr().out)[0]["answer"] == "京"
