"""Scores from Python, over a model in memory and a real gRPC server."""

from __future__ import annotations

import asyncio

import pytest

from ernie_triton.client.tasks.regression import AsyncRegressionClient, RegressionClient, Score
from ernie_triton.errors import ContractError
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport
from tests.client.task_fakes import score_model


def client_of(model: FakeModel) -> RegressionClient:
    return RegressionClient("fake:8001", transport=FakeTransport(model))


def test_texts_and_pairs_have_a_score_each() -> None:
    with client_of(score_model()) as client:
        results = client.score(["0.5", "-2 longer"], ["x", "y"])
    assert results == [Score(value=0.5, truncated=False), Score(value=-2.0, truncated=True)]
    with client_of(score_model(pair=False)) as client:
        assert client.score(["0.25"]) == [Score(value=0.25, truncated=False)]


def test_a_model_of_labels_is_refused() -> None:
    with client_of(FakeModel()) as client, pytest.raises(ContractError, match="not score"):
        client.score(["a"])


def test_the_asyncio_client_answers_like_the_blocking_one() -> None:
    async def ask() -> list[Score]:
        transport = FakeAsyncTransport(score_model())
        async with AsyncRegressionClient("fake:8001", transport=transport) as client:
            return await client.score(["1"], ["x"])

    assert asyncio.run(ask()) == [Score(value=1.0, truncated=False)]


def test_scores_come_over_grpc(grpc_url: str) -> None:
    with RegressionClient(grpc_url) as client:
        results = client.score(["a", "longer"], ["x", "y"])
    assert results == [Score(value=0.5, truncated=False), Score(value=0.5, truncated=True)]
