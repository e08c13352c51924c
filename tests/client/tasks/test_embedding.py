"""Vectors and cosines from Python, over a model in memory and a real gRPC server."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest

from ernie_triton.arrays import Float32
from ernie_triton.client.tasks.embedding import AsyncEmbeddingClient, EmbeddingClient, cosines
from ernie_triton.client.wire import ModelFacts
from ernie_triton.errors import ContractError
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport
from tests.client.task_fakes import vector_model


def client_of(model: FakeModel) -> EmbeddingClient:
    return EmbeddingClient("fake:8001", transport=FakeTransport(model))


def test_vectors_come_in_the_order_of_the_texts() -> None:
    texts = [f"{n} 1" for n in range(9)]
    with client_of(vector_model()) as client:
        vectors = client.embed(texts)
    assert vectors.shape == (9, 2)
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[n, 1.0] for n in range(9)]


def test_a_prompt_comes_before_each_text_and_vectors_may_be_shorter() -> None:
    model = vector_model()
    model.facts = dataclasses.replace(model.facts, prompts={"query": "3 ", "document": ""})
    with client_of(model) as client:
        assert client.prompts() == {"query": "3 ", "document": ""}
        assert client.embed(["4"], prompt_name="query").tolist() == [[3.0, 4.0]]
        assert client.embed(["3 4"], prompt_name="document").tolist() == [[3.0, 4.0]]
        assert client.embed(["3 4"], dimensions=1).tolist() == [[1.0]]
        with pytest.raises(ContractError, match=r"is 'title'; expected .* \(query, document\)"):
            client.embed(["4"], prompt_name="title")
    assert model.requests[0].columns == {"text": [b"3 4"]}
    with client_of(vector_model()) as client, pytest.raises(ContractError, match="none: build it"):
        client.embed(["4"], prompt_name="query")


def test_no_texts_have_no_vectors_of_the_models_length() -> None:
    with client_of(vector_model()) as client:
        assert client.embed([]).shape == (0, 2)
        assert client.similarity([], []).shape == (0,)


def test_cosines_are_those_worked_by_hand() -> None:
    # 3 4 with 4 3: 24/25. Perpendicular: 0. Opposite: -1. The length does not matter.
    with client_of(vector_model()) as client:
        found = client.similarity(["3 4", "1 0", "1 0", "1 1"], ["4 3", "0 2", "-5 0", "7 7"])
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([0.96, 0.0, -1.0, 1.0])


def test_a_zero_vector_is_like_nothing() -> None:
    zero, one = np.zeros((1, 2), dtype=np.float32), np.ones((1, 2), dtype=np.float32)
    assert cosines(zero, one).tolist() == [0.0]


def test_texts_without_others_are_refused_before_anything_is_sent() -> None:
    model = vector_model()
    with client_of(model) as client, pytest.raises(ValueError, match="texts has 1 but others has"):
        client.similarity(["1 0"], [])
    assert model.requests == []


def test_a_model_without_a_fixed_length_of_vectors_is_refused() -> None:
    outputs = {"embedding": (-1,), "truncated": (1,)}
    model = FakeModel(facts=ModelFacts(max_batch_size=4, inputs=("text",), outputs=outputs))
    with client_of(model) as client, pytest.raises(ContractError, match="one fixed length"):
        client.embed([])


def test_the_asyncio_client_answers_like_the_blocking_one() -> None:
    async def ask() -> tuple[Float32, Float32]:
        transport = FakeAsyncTransport(vector_model())
        async with AsyncEmbeddingClient("fake:8001", transport=transport) as client:
            return await client.embed(["3 4"]), await client.similarity(["3 4"], ["4 3"])

    vectors, found = asyncio.run(ask())
    assert vectors.tolist() == [[3.0, 4.0]]
    assert found.tolist() == pytest.approx([0.96])


def test_vectors_come_over_grpc(grpc_url: str) -> None:
    with EmbeddingClient(grpc_url) as client:
        vectors = client.embed(["a", "bb", "ccc"])
        found = client.similarity(["a"], ["bb"])
    assert vectors.tolist() == [[0.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 3.0, 0.0]]
    assert found.tolist() == [1.0]
