"""Cloze from Python and on the command line, over a model in memory, and its accuracy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ernie_triton.client.tasks.cloze import AsyncClozeClient, ClozeClient, FilledText, FilledToken
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport
from tests.client.task_fakes import cloze_model
from tests.commands import command

main = command("ask", "cloze")
BEST = FilledToken(token="b", token_id=1, probability=0.75)
OTHER = FilledToken(token="a", token_id=0, probability=0.25)


def test_every_mask_has_its_tokens_the_likeliest_first() -> None:
    model = cloze_model()
    with ClozeClient("fake:8001", transport=FakeTransport(model)) as client:
        both, one = client.fill(["[MASK]x[MASK]", "[MASK]"])
        assert both == FilledText(masks=((BEST, OTHER), (BEST, OTHER)), truncated=False)
        assert (both.best, one.best) == (("b", "b"), ("b",))
        [found] = client.fill(["[MASK]"], top_k=1, candidates=["a", "b"])
    assert found.masks == ((BEST,),)
    sent = [request.columns["parameters"] for request in model.requests]
    assert sent[0] == [b"", b""]
    assert json.loads(sent[1][0]) == {"top_k": 1, "candidates": ["a", "b"]}

    async def ask() -> list[FilledText]:
        async with AsyncClozeClient("fake:8001", transport=FakeAsyncTransport(model)) as client:
            return await client.fill(["[MASK]"], top_k=1)

    assert asyncio.run(ask()) == [FilledText(masks=((BEST,),), truncated=False)]


def test_the_command_line_shows_the_tokens_and_counts_the_right_ones(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    serve(cloze_model())
    assert main(["--text", "x[MASK]"]) == 0
    head, _, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["line", "mask", "token", "probability", "cut", "text"]
    assert (first.split(), second.split()) == (
        ["1", "1", "b", "0.7500", "x[MASK]"],
        ["1", "a", "0.2500"],
    )
    lines = [
        {"text": "[MASK]", "answer": "B"},
        {"text": "[MASK]x[MASK]", "answer": "ab", "candidates": ["a", "b"]},
        {"text": "[MASK][MASK]", "answer": ["b", "b"]},
        {"text": "[MASK]"},
    ]
    source = tmp_path / "dev.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["--evaluate", str(source), "--json"]) == 1
    found = capsys.readouterr()
    assert json.loads(found.out) == {"masks": 5, "accuracy": 0.8}
    assert "line 4: the object has text, expected text and answer" in found.err
