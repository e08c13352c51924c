"""The entity command, over a model in memory and against a real gRPC server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ernie_triton.client.cli.stream import Outcome
from ernie_triton.client.cli.token_cls import MarkPrinter, marked_text
from ernie_triton.client.items import Item
from ernie_triton.client.tasks.token_cls import Entity
from tests.client.fakes import FakeModel, refuse_texts_with
from tests.client.task_fakes import entity_model
from tests.commands import command

main = command("ask", "token_cls")


@pytest.fixture
def model(serve: Callable[[FakeModel], FakeModel]) -> FakeModel:
    """An entity model in memory, at the far end of every transport that a command makes."""
    return serve(entity_model())


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("model")
def test_texts_give_a_table_of_their_entities(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--text", "在AB和C", "--text", "无"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "line  entity  label  score   start  end  text",
        "----  ------  -----  ------  -----  ---  -------",
        "1     AB      LOC    0.7500  1      3    在AB和C",
        "      C       PER    0.7500  4      5",
        "2                                        无",
    ]


@pytest.mark.usefixtures("model")
def test_json_lines_hold_the_entities_or_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--text", "在A", "--json"]) == 0
    entity = {"text": "A", "label": "LOC", "start": 1, "end": 2, "score": 0.75}
    assert records(capsys.readouterr().out) == [{"line": 1, "entities": [entity]}]
    assert main(["--text", "在A", "--json", "--tokens"]) == 0
    [record] = records(capsys.readouterr().out)
    first = {"text": "在", "label": "O", "start": 0, "end": 1, "score": 0.5}
    assert record["tokens"] == [first, {**entity, "label": "B-LOC", "score": 0.5}]


def test_marked_texts_come_one_a_line_and_a_failed_one_is_empty(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model.fault = refuse_texts_with("!")
    source, target = tmp_path / "in.txt", tmp_path / "marked.txt"
    source.write_text("在AB和C\n无\n!\nA\n")
    marked = "在[AB|LOC]和[C|PER]\n无\n\n[A|LOC]\n"
    assert main(["--file", str(source), "--mark"]) == 1
    out, err = capsys.readouterr()
    assert out == marked
    assert "line 3: the server refused: !" in err
    assert main(["--file", str(source), "--mark", "--output", str(target)]) == 1
    assert capsys.readouterr().out == f"{target}\n"
    assert target.read_text() == marked


def test_words_of_a_model_built_without_them_are_refused_in_one_line(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(entity_model(with_tokens=False))
    assert main(["--text", "A", "--tokens"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "an option of the build" in err


@pytest.mark.usefixtures("model")
def test_labelled_tokens_are_scored(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = [
        {"tokens": ["在", "AB", "和", "C"], "labels": ["O", "B-LOC", "O", "B-PER"]},
        {"tokens": ["A", "B", "了"], "labels": ["B-LOC", "O", "O"]},
        {"tokens": ["无"], "labels": ["B-ORG"]},
        {"sentence": "无"},
    ]
    source = tmp_path / "dev.json"
    source.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    # Answers: AB LOC and C PER, both right; AB LOC, wrong at its end; none. Golds: 4.
    assert main(["--evaluate", str(source)]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "lines      3",
        "entities   4",
        "precision  0.6667",
        "recall     0.5000",
        "F1         0.5714",
        "",
        "type  precision  recall  f1      entities",
        "----  ---------  ------  ------  --------",
        "LOC   0.5000     0.5000  0.5000  2",
        "ORG   0.0000     0.0000  0.0000  1",
        "PER   1.0000     1.0000  1.0000  1",
    ]
    assert "line 4: the object has sentence, expected tokens" in err
    assert main(["--evaluate", str(source), "--json"]) == 1
    [scores] = records(capsys.readouterr().out)
    assert (scores["lines"], scores["recall"]) == (3, 0.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--text", "a", "--mark", "--json"], "--mark and --json: choose one"),
        (["--text", "a", "--mark", "--tokens"], "not allowed with argument"),
        (["--evaluate", "x", "--tokens"], "--evaluate scores entities"),
        (["--text-pair", "a"], "unrecognized arguments"),
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
    assert main(["--url", grpc_url, "--text", "北京", "--mark"]) == 0
    assert capsys.readouterr().out == "[北|LOC]京\n"
    assert main(["--url", grpc_url, "--text", "北京", "--model", "ernie_embedding"]) == 1
    assert "name a model of token_cls" in capsys.readouterr().err


def entity(start: int, end: int, label: str = "LOC") -> Entity:
    return Entity(text="", label=label, start=start, end=end, score=1.0)


def test_entities_are_marked_in_their_place() -> None:
    assert marked_text("北京的涮肉", [entity(0, 2)]) == "[北京|LOC]的涮肉"
    adjacent = [entity(1, 2), entity(2, 4, "PER")]
    assert marked_text("在甲乙丙", adjacent) == "在[甲|LOC][乙丙|PER]"
    assert marked_text("无", []) == "无"


def test_a_text_stays_on_one_line_and_cannot_drive_the_terminal() -> None:
    marked = marked_text("a\nb\x1b[2J", [entity(0, 3)])
    assert marked == "[a b|LOC]\N{REPLACEMENT CHARACTER}[2J"


def test_colours_are_for_terminals() -> None:
    outcome: Outcome[tuple[Entity, ...]] = Outcome(
        item=Item(line=1, texts=("北京",)), result=(entity(0, 2),)
    )
    assert MarkPrinter(colored=False).lines([outcome]) == ["[北京|LOC]"]
    [line] = MarkPrinter(colored=True).lines([outcome])
    assert line == "[\x1b[1m北京\x1b[0m|\x1b[36mLOC\x1b[0m]"
