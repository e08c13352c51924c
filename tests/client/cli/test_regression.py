"""Scores of texts, over a model in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.client.fakes import FakeModel
from tests.client.task_fakes import score_model
from tests.commands import command

Main = Callable[[Sequence[str]], int]


@pytest.fixture(params=["seq_cls", "regression"])
def main(request: pytest.FixtureRequest) -> Main:
    """The task's own command, and the one for every kind of classification."""
    return command("ask", request.param)


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_regression_model_gives_scores(
    main: Main, serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(score_model())
    assert main(["--text", "0.5 long", "--text-pair", "x"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[:3] == ["1", "0.5000", "yes"]
    assert main(["--text", "0.5", "--text-pair", "x", "--json"]) == 0
    assert records(capsys.readouterr().out) == [{"line": 1, "score": 0.5, "truncated": False}]


def test_a_regression_model_is_scored_by_correlation(
    main: Main,
    serve: Callable[[FakeModel], FakeModel],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    serve(score_model())
    source = tmp_path / "dev.json"
    pairs = (("1", 1.0), ("2", 4.0), ("3", 9.0))
    lines = [{"sentence1": text, "sentence2": "x", "score": gold} for text, gold in pairs]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    # Deviations -1 0 1 and -11/3 -2/3 13/3: 8 / sqrt(2 * 98 / 3) = 0.9897.
    assert main(["--evaluate", str(source)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "lines     3",
        "Pearson   0.9897",
        "Spearman  1.0000",
    ]
    assert main(["--evaluate", str(source), "--json"]) == 0
    assert records(capsys.readouterr().out)[0]["pearson"] == pytest.approx(0.98974332)


def test_labels_are_not_to_be_had(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(score_model())
    arguments = ["--text", "0.5", "--text-pair", "x", "--top-k", "2"]
    assert command("ask", "seq_cls")(arguments) == 1
    assert "leave --top-k out" in capsys.readouterr().err
