"""All labels of a text from Python, over a model in memory and a real gRPC server."""

from __future__ import annotations

import asyncio

import pytest

from ernie_triton.client.tasks.multi_label import AsyncMultiLabelClient, LabelSet, MultiLabelClient
from ernie_triton.client.tasks.seq_cls import Label
from ernie_triton.errors import ContractError
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport
from tests.client.task_fakes import multi_label_model

A = Label(name="a:体育", id=0, score=0.5)
C = Label(name="c:娱乐", id=2, score=0.75)


def client_of(model: FakeModel) -> MultiLabelClient:
    return MultiLabelClient("fake:8001", transport=FakeTransport(model))


def test_the_labels_of_a_text_come_likeliest_first() -> None:
    with client_of(multi_label_model()) as client:
        first, second = client.classify(["ac", "x" * 21])
    assert first == LabelSet(labels=(C, A), likeliest=(), truncated=False)
    assert second == LabelSet(labels=(), likeliest=(), truncated=True)


def test_the_likeliest_labels_come_whether_a_text_has_them_or_not() -> None:
    with client_of(multi_label_model()) as client:
        [result] = client.classify(["a"], top_k=2)
        with pytest.raises(ValueError, match="top_k is -1"):
            client.classify(["a"], top_k=-1)
    assert [label.name for label in result.labels] == ["a:体育"]
    assert [label.id for label in result.likeliest] == [0, 2]


def test_a_model_with_one_label_a_text_is_refused() -> None:
    with client_of(FakeModel()) as client, pytest.raises(ContractError, match="not selected"):
        client.classify(["a"])


def test_the_asyncio_client_answers_like_the_blocking_one() -> None:
    async def ask() -> list[LabelSet]:
        transport = FakeAsyncTransport(multi_label_model())
        async with AsyncMultiLabelClient("fake:8001", transport=transport) as client:
            return await client.classify(["abc"], top_k=1)

    with client_of(multi_label_model()) as client:
        assert asyncio.run(ask()) == client.classify(["abc"], top_k=1)


def test_labels_come_over_grpc(grpc_url: str) -> None:
    with MultiLabelClient(grpc_url) as client:
        results = client.classify(["a", "b", "longer"])
    positive = Label(name="positive", id=1, score=0.75)
    assert [result.labels for result in results] == [(positive,)] * 3
    assert [result.truncated for result in results] == [False, False, True]
