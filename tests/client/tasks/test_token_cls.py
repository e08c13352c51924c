"""Entities and words from Python, over a model in memory and a real gRPC server."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from ernie_triton.client.tasks.token_cls import (
    AsyncTokenClsClient,
    Entity,
    EntityCodec,
    Token,
    TokenClsClient,
)
from ernie_triton.errors import ContractError
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport
from tests.client.task_fakes import entity_model


def client_of(model: FakeModel) -> TokenClsClient:
    return TokenClsClient("fake:8001", transport=FakeTransport(model))


def test_an_entity_is_cut_from_the_text_by_its_characters() -> None:
    texts = ["在AB和C。", "", "ABC", "😀X"]
    with client_of(entity_model()) as client:
        results = client.entities(texts)
    assert results[0] == (
        Entity(text="AB", label="LOC", start=1, end=3, score=0.75),
        Entity(text="C", label="PER", start=4, end=5, score=0.75),
    )
    assert [len(entities) for entities in results] == [2, 0, 1, 1]
    for text, entities in zip(texts, results, strict=True):
        assert all(text[one.start : one.end] == one.text for one in entities)


def test_every_word_has_a_label_where_the_build_gives_them() -> None:
    with client_of(entity_model()) as client:
        [tokens] = client.tokens(["在A"])
    assert tokens == (
        Token(text="在", label="O", start=0, end=1, score=0.5),
        Token(text="A", label="B-LOC", start=1, end=2, score=0.5),
    )


def test_words_of_a_model_built_without_them_are_refused() -> None:
    with (
        client_of(entity_model(with_tokens=False)) as client,
        pytest.raises(ContractError, match="not tokens; it is an option of the build"),
    ):
        client.tokens(["在A"])


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_rows_may_come_with_or_without_a_second_dimension(shape: tuple[int, ...]) -> None:
    cell = b'[{"pos": [0, 1], "entity": "AB", "label": "LOC", "score": 1}]'
    reply = {"OUTPUT": np.array([cell], dtype=np.object_).reshape(shape)}
    [entities] = EntityCodec().results_from_reply(reply)
    assert entities == (Entity(text="AB", label="LOC", start=0, end=2, score=1.0),)


@pytest.mark.parametrize(
    "cell", [b"[{'pos': [0, 1]}]", b"3", b"[3]", b'[{"pos": [0]}]', b'[{"entity": "x"}]', b"\xff"]
)
def test_an_output_that_is_no_list_of_entities_is_shown(cell: bytes) -> None:
    reply = {"OUTPUT": np.array([cell], dtype=np.object_)}
    with pytest.raises(ContractError, match="the model returned OUTPUT b"):
        EntityCodec().results_from_reply(reply)


def test_the_asyncio_client_answers_like_the_blocking_one() -> None:
    async def ask() -> tuple[list[tuple[Entity, ...]], list[tuple[Token, ...]]]:
        transport = FakeAsyncTransport(entity_model())
        async with AsyncTokenClsClient("fake:8001", transport=transport) as client:
            return await client.entities(["在A"]), await client.tokens(["在A"])

    with client_of(entity_model()) as client:
        assert asyncio.run(ask()) == (client.entities(["在A"]), client.tokens(["在A"]))


def test_entities_come_over_grpc(grpc_url: str) -> None:
    with TokenClsClient(grpc_url) as client:
        first, second, third = client.entities(["京A", "", "海"])
        [[token], []] = client.tokens(["京A", ""])
    assert first == (Entity(text="京", label="LOC", start=0, end=1, score=0.5),)
    assert second == ()
    assert third[0].text == "海"
    assert (token.text, token.label) == ("京", "B-LOC")
