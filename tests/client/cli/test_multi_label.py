"""All labels of texts, over a model in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.client.fakes import FakeModel
from tests.client.task_fakes import multi_label_model, score_model
from tests.commands import command

Main = Callable[[Sequence[str]], int]


@pytest.fixture(params=["seq_cls", "multi_label"])
def main(request: pytest.FixtureRequest) -> Main:
    """The task's own command, and the one for every kind of classification."""
    return command("ask", request.param)


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_multi_label_model_gives_every_label_that_a_text_has(
    main: Main, serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str]
) -> None:
    model = serve(multi_label_model())
    assert main(["--text", "ac", "--text", "x" * 21]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "line  label   score   selected  cut  text",
        "----  ------  ------  --------  ---  ---------------------",
        "1     c:娱乐  0.7500  yes            ac",
        "      a:体育  0.5000  yes",
        "2                               yes  xxxxxxxxxxxxxxxxxxxxx",
    ]
    assert len(model.requests) == 1


def test_a_multi_label_model_gives_its_likeliest_labels_when_asked(
    main: Main, serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(multi_label_model())
    a = {"label": "a:体育", "id": 0, "score": 0.5}
    c = {"label": "c:娱乐", "id": 2, "score": 0.5}
    assert main(["--text", "a", "--json"]) == 0
    assert records(capsys.readouterr().out) == [{"line": 1, "labels": [a], "truncated": False}]
    assert main(["--text", "a", "--json", "--top-k", "2"]) == 0
    [record] = records(capsys.readouterr().out)
    assert (record["labels"], record["likeliest"]) == ([a], [a, c])
    assert main(["--text", "a", "--top-k", "2"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split() for row in rows] == [
        ["1", "a:体育", "0.5000", "yes", "a"],
        ["c:娱乐", "0.5000"],
    ]


def test_a_multi_label_model_is_scored_by_f1(
    main: Main,
    serve: Callable[[FakeModel], FakeModel],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    serve(multi_label_model())
    source = tmp_path / "dev.json"
    golds: tuple[tuple[str, list[str]], ...] = (
        ("ab", ["a:体育", "b:财经"]),
        ("a", []),
        ("x", ["2"]),
    )
    lines = [{"sentence": text, "labels": gold} for text, gold in golds]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    # a: 1 right of 2 answers and 1 gold, 2/3. b: 1. c: 0. Together 2 right of 3 and 3.
    assert main(["--evaluate", str(source)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:4] == [
        "lines        3",
        "micro-F1     0.6667",
        "macro-F1     0.5556",
        "exact match  0.3333",
    ]
    assert main(["--evaluate", str(source), "--json"]) == 0
    [scores] = records(capsys.readouterr().out)
    assert scores["f1"] == {"a:体育": pytest.approx(2 / 3), "b:财经": 1.0, "c:娱乐": 0.0}


def test_another_model_is_refused(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(score_model())
    assert command("ask", "multi_label")(["--text", "1", "--text-pair", "x"]) == 1
    assert "name a model with labels" in capsys.readouterr().err
