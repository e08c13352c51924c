"""Rankings from Python, over a model in memory."""

from __future__ import annotations

import asyncio

import pytest

from ernie_triton.client.tasks.rerank import (
    AsyncRerankClient,
    RankedDocument,
    Ranking,
    RerankClient,
)
from ernie_triton.errors import ContractError, RequestRefusedError, TextError
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport, refuse_texts_with
from tests.client.task_fakes import rank_model

DOCUMENTS = ["c", "abab" + "x" * 20, "a", "b"]
BEST = RankedDocument(index=1, score=2.0, truncated=True)
RANKING = (
    BEST,
    RankedDocument(index=2, score=0.5, truncated=False),
    RankedDocument(index=3, score=0.5, truncated=False),
    RankedDocument(index=0, score=0.0, truncated=False),
)


def client_of(model: FakeModel) -> RerankClient:
    return RerankClient("fake:8001", transport=FakeTransport(model))


def test_documents_come_best_first_and_equal_ones_as_they_were_sent() -> None:
    with client_of(rank_model()) as client:
        assert client.rank("ab", DOCUMENTS) == RANKING
        assert client.rank("ab", DOCUMENTS, top_n=1) == (BEST,)
        assert client.rank("ab", ["b"]) == (RankedDocument(index=0, score=0.5, truncated=False),)


def test_the_texts_come_with_the_result_where_they_are_asked_for() -> None:
    with client_of(rank_model()) as client:
        found = client.rank("ab", DOCUMENTS, top_n=2, return_documents=True)
    assert [one.document for one in found] == [DOCUMENTS[1], "a"]


def test_nothing_to_rank_is_an_error_before_anything_is_sent() -> None:
    model = rank_model()
    with client_of(model) as client:
        with pytest.raises(TextError, match="there are no documents to rank; give at least one"):
            client.rank("ab", [])
        with pytest.raises(ValueError, match="top_n is 0"):
            client.rank("ab", ["a"], top_n=0)
        with pytest.raises(TextError, match="text 2: the text holds the lone surrogate"):
            client.rank("ab", ["a", "\ud800"])
    assert not model.requests


def test_the_servers_refusal_and_a_model_of_another_task_are_errors() -> None:
    model = rank_model()
    model.fault = refuse_texts_with("!")
    with client_of(model) as client, pytest.raises(RequestRefusedError, match="refused: !"):
        client.rank("ab", ["a", "b!"])
    assert len(model.requests) == 1
    with client_of(FakeModel()) as client, pytest.raises(ContractError, match="rerank has query"):
        client.rank("ab", ["a"])


def test_the_asyncio_client_answers_like_the_blocking_one() -> None:
    async def ask() -> list[Ranking]:
        transport = FakeAsyncTransport(rank_model())
        async with AsyncRerankClient("fake:8001", transport=transport) as client:
            return await asyncio.gather(*(client.rank("ab", DOCUMENTS) for _ in range(3)))

    assert asyncio.run(ask()) == [RANKING] * 3
