"""Choices from Python and on the command line, over a model in memory, and their accuracy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ernie_triton.client.evaluation.choices import items_from_choices
from ernie_triton.client.tasks.choice import AsyncChoiceClient, ChoiceClient, ChosenOption
from ernie_triton.errors import DatasetError, RequestRefusedError
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport, refuse_texts_with
from tests.client.task_fakes import choice_model
from tests.commands import command

main = command("ask", "choice")
BEST = ChosenOption(
    index=1, probabilities=(0.25, 0.75), scores=(1.0, 3.0), truncated=(False, False), option="aab"
)


def test_the_best_option_comes_with_its_text_and_the_probability_of_each() -> None:
    model = choice_model()
    with ChoiceClient("fake:8001", transport=FakeTransport(model)) as client:
        found = client.choose("ab", "", ["b", "aab"])
        assert (found, found.probability) == (BEST, 0.75)
        model.fault = refuse_texts_with("!")
        with pytest.raises(RequestRefusedError, match="refused: !"):
            client.choose("ab", "", ["a!", "b"])

    async def ask() -> list[ChosenOption]:
        transport = FakeAsyncTransport(choice_model())
        async with AsyncChoiceClient("fake:8001", transport=transport) as client:
            return await asyncio.gather(*(client.choose("ab", "", ["b", "aab"]) for _ in "12"))

    assert asyncio.run(ask()) == [BEST, BEST]


def test_the_command_line_shows_the_best_option_and_counts_the_right_ones(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    serve(choice_model())
    asked = ["--context", "ab", "--question", "q", "--option", "b", "--option", "aab"]
    assert main(asked) == 0
    head, _, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["line", "index", "option", "probability", "cut", "context"]
    assert row.split() == ["1", "1", "aab", "0.7500", "ab"]
    lines = [
        {"context": "ab", "question": "q", "options": ["b", "aab"], "answer": "aab"},
        {"context": ["a", "b"], "options": ["b", "aab"], "answer": 0},
        {"context": "ab", "options": ["b", "aab"], "answer": "c"},
    ]
    source = tmp_path / "dev.json"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["--evaluate", str(source), "--json"]) == 1
    found = capsys.readouterr()
    assert json.loads(found.out) == {"questions": 2, "accuracy": 0.5}
    assert "line 3: answer is 'c', expected an option or its place" in found.err


def test_questions_of_c3_are_read_from_one_document() -> None:
    question = {"question": "q", "choice": ["x", "y"], "answer": "y"}
    document = [[["男：a", "女：b"], [question, question], "m13"]]
    items = list(items_from_choices([json.dumps(document, ensure_ascii=False).encode()]))
    assert [item.texts for item in items] == [("男：a\n女：b", "q", "x", "y")] * 2
    assert [item.record for item in items] == [{"gold": 1}] * 2
    with pytest.raises(DatasetError, match="no document of C3"):
        list(items_from_choices([b"[5]"]))


@pytest.mark.parametrize("answers", [{"candidate_id": [1, 0]}, {"#idiom1#": 1, "#idiom20#": 0}])
def test_each_blank_of_chid_is_a_question_with_the_passage_around_it(answers: object) -> None:
    record = {
        "content": ["甲" * 60 + "#idiom1#乙", "#idiom20#丙#idiom1#"],
        "candidates": ["画蛇添足", "一心一意"],
        "answers": answers,
    }
    first, second, third = items_from_choices([json.dumps(record).encode()])
    assert first.texts == ("甲" * 48 + "[MASK]乙", "", "画蛇添足", "一心一意")
    assert second.texts[0] == "[MASK]丙[UNK]"
    assert (first.record, second.record) == ({"gold": 1}, {"gold": 0})
    assert third.error or third.record == {"gold": 1}
