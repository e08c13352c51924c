"""Token vectors from Python and on the command line, over a model in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.arrays import Float32
from ernie_triton.client.tasks.colbert import AsyncColbertClient, ColbertClient, TokenVectors
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport
from tests.client.task_fakes import colbert_model
from tests.commands import command

main = command("ask", "colbert")


def prompted() -> FakeModel:
    model = colbert_model()
    prompts = {"query": "0,2 ", "passage": "0,1 ", "other": "9,9 "}
    model.facts = dataclasses.replace(model.facts, prompts=prompts)
    return model


def test_texts_have_the_vectors_of_their_tokens_without_padding() -> None:
    model = colbert_model()
    with ColbertClient("fake:8001", transport=FakeTransport(model)) as client:
        two, one, long = client.embed(["1,0 0,1", "0.5,0.25", "1,1 " * 5])
        assert client.embed([]) == []
    assert two.vectors.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert (one.vectors.tolist(), one.truncated, long.truncated) == ([[0.5, 0.25]], False, True)

    async def ask() -> list[TokenVectors]:
        transport = FakeAsyncTransport(model)
        async with AsyncColbertClient("fake:8001", transport=transport) as client:
            return await client.embed(["1,0"])

    [again] = asyncio.run(ask())
    assert again.vectors.tolist() == [[1.0, 0.0]]


def test_late_interaction_is_that_worked_by_hand() -> None:
    # Query (1,0), (0,1): the best of the first is 0.6, of the second 0.8 and 1.0.
    with ColbertClient("fake:8001", transport=FakeTransport(colbert_model())) as client:
        query, one, two = client.embed(["1,0 0,1", "0.6,0.8", "0.6,0.8 0,1 -1,0"])
        scores = client.score("1,0 0,1", ["0.6,0.8", "0.6,0.8 0,1 -1,0"])
        assert client.score("1,0", []).shape == (0,)
    assert query.max_sim(one) == pytest.approx(1.4)
    assert query.max_sim(two) == pytest.approx(1.6)
    assert two.max_sim(query) == pytest.approx(0.8 + 1.0 + 0.0)
    assert scores.dtype == np.float32
    assert scores.tolist() == pytest.approx([1.4, 1.6])
    with pytest.raises(ValueError, match="int8; expected float32"):
        query.max_sim(dataclasses.replace(one, vectors=one.vectors.astype(np.int8)))


def test_queries_and_documents_have_the_models_own_prompts() -> None:
    model = prompted()

    async def ask() -> Float32:
        transport = FakeAsyncTransport(model)
        async with AsyncColbertClient("fake:8001", transport=transport) as client:
            return await client.score("1,0", ["3,0"])

    # Query (0,2), (1,0) and document (0,1), (3,0): 2 and 3.
    assert asyncio.run(ask()).tolist() == [5.0]
    assert model.requests[-1].columns == {"text": [b"0,2 1,0", b"0,1 3,0"]}
    with ColbertClient("fake:8001", transport=FakeTransport(model)) as client:
        [found] = client.embed(["1,0"], prompt_name="other")
        assert dict(client.prompts())["other"] == "9,9 "
    assert found.vectors.tolist() == [[9.0, 9.0], [1.0, 0.0]]


def test_the_command_line_prints_vectors_and_scores(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(prompted())
    assert main(["--text", "1,0 0,1", "--text", "0,1"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"line": 1, "vectors": [[1.0, 0.0], [0.0, 1.0]], "truncated": False}
    assert second["vectors"] == [[0.0, 1.0]]
    assert main(["--text", "1,-1", "--precision", "ubinary", "--prompt-name", "query"]) == 0
    assert json.loads(capsys.readouterr().out)["vectors"] == [[0b01000000], [0b10000000]]
    assert main(["--text", "1,0", "--text-pair", "3,0"]) == 0
    head, _, row = capsys.readouterr().out.splitlines()
    assert (head.split()[:2], row.split()[:2]) == (["line", "score"], ["1", "5.0000"])
    with pytest.raises(SystemExit, match="2"):
        main(["--text", "1,0", "--text-pair", "3,0", "--prompt-name", "query"])
    assert "--prompt-name, --precision and --ranges are for vectors" in capsys.readouterr().err


def test_rankings_are_evaluated(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    serve(colbert_model())
    lines = [
        {"query": "1,0", "positives": ["1,0"], "negatives": ["0.5,0", "0,1"]},
        {"query": "0,1", "positives": ["0,0.25"], "negatives": ["0,0.5", "0,0"]},
    ]
    source = tmp_path / "rankings.json"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["--evaluate", str(source), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["queries"], figures["mrr"]) == (2, (1 + 1 / 2) / 2)
