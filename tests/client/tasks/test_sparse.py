"""Lexical weights from Python and on the command line, over a model in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ernie_triton.client.tasks.sparse import AsyncSparseClient, SparseClient, SparseVector
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport
from tests.client.task_fakes import sparse_model
from tests.commands import command

main = command("ask", "sparse")


def test_texts_have_their_tokens_without_padding_and_a_score_between_them() -> None:
    model = sparse_model()
    with SparseClient("fake:8001", transport=FakeTransport(model)) as client:
        one, two, none = client.weigh(["abb", "bc", ""])
        assert client.weigh([]) == []
    assert (one.indices.tolist(), one.values.tolist()) == ([97, 98], [0.5, 1.0])
    assert (none.indices.size, none.values.size, none.truncated) == (0, 0, False)
    assert one.dot(two) == two.dot(one) == 1.0 * 0.5
    assert one.dot(none) == 0.0

    async def ask() -> list[SparseVector]:
        async with AsyncSparseClient("fake:8001", transport=FakeAsyncTransport(model)) as client:
            return await client.weigh(["a"])

    [again] = asyncio.run(ask())
    assert again.indices.tolist() == [97]


def test_the_command_line_prints_a_json_line_for_each_text(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    serve(sparse_model())
    assert main(["--text", "abb", "--text", "c"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"line": 1, "indices": [97, 98], "values": [0.5, 1.0], "truncated": False}
    assert second["indices"] == [99]
    assert main(["--text", "abb", "--text-pair", "bc"]) == 0
    head, _, row = capsys.readouterr().out.splitlines()
    assert (head.split()[:2], row.split()[:2]) == (["line", "score"], ["1", "0.5000"])
    line = {"query": "ab", "positives": ["ab"], "negatives": ["c", "b"]}
    source = tmp_path / "rankings.json"
    source.write_text(json.dumps(line) + "\n")
    assert main(["--evaluate", str(source), "--json", "--at", "1"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["at"], figures["mrr"], figures["map"]) == (1, 1.0, 1.0)
    with pytest.raises(SystemExit, match="2"):
        main(["--text", "a", "--text-pair", "b", "--prompt-name", "query"])
    assert "scores take the model's own prompts" in capsys.readouterr().err


def test_queries_and_documents_have_the_models_own_prompts() -> None:
    model = sparse_model()
    model.facts = dataclasses.replace(model.facts, prompts={"query": "q", "document": "d"})
    with SparseClient("fake:8001", transport=FakeTransport(model)) as client:
        [found] = client.weigh(["a"], prompt_name="query")
    assert found.indices.tolist() == [ord("a"), ord("q")]
