"""The two clients of sequence classification, over a model in memory."""

from __future__ import annotations

import asyncio

import pytest

from ernie_triton.client.client import run_blocking
from ernie_triton.client.tasks.seq_cls import (
    AsyncSeqClsClient,
    Classification,
    Label,
    SeqClsClient,
    SeqClsCodec,
)
from ernie_triton.errors import ContractError, RequestRefusedError, TextError
from tests.client.fakes import (
    LABELS,
    PAIR_FACTS,
    FakeAsyncTransport,
    FakeModel,
    FakeTransport,
    refuse_texts_with,
)


def client_of(model: FakeModel) -> SeqClsClient:
    return SeqClsClient("fake:8001", transport=FakeTransport(model))


def test_the_best_label_comes_in_full_precision() -> None:
    with client_of(FakeModel()) as client:
        [result] = client.classify(["b" * 30])
    best = Label(name="b:财经", id=1, score=0.75)
    assert result == Classification(labels=(best,), truncated=True)
    assert result.best == best


def test_more_labels_come_best_first_with_colons_in_their_names() -> None:
    with client_of(FakeModel()) as client:
        results = client.classify(["c", "a"], top_k=2)
    assert [[(label.name, label.id, label.score) for label in one.labels] for one in results] == [
        [("c:娱乐", 2, 0.75), ("a:体育", 0, 0.1875)],
        [("a:体育", 0, 0.75), ("b:财经", 1, 0.1875)],
    ]


def test_labels_without_names_are_called_by_their_ids() -> None:
    import numpy as np

    reply = {
        "scores": np.array([[b"0.600000:1", b"0.400000:0"]], dtype=np.object_),
        "truncated": np.array([[False]]),
    }
    [result] = SeqClsCodec(top_k=2).results_from_reply(reply)
    assert [label.name for label in result.labels] == ["1", "0"]


def test_the_models_labels_come_in_the_order_of_their_ids() -> None:
    with client_of(FakeModel()) as client:
        assert client.label_names() == LABELS


def test_a_model_without_a_fixed_number_of_labels_is_refused() -> None:
    with client_of(FakeModel(facts=PAIR_FACTS)) as client:
        assert client.label_names() == LABELS
    model = FakeModel()
    model.facts = type(model.facts)(max_batch_size=4, inputs=("text",), outputs={"scores": (-1,)})
    with client_of(model) as client, pytest.raises(ContractError, match="one fixed number"):
        client.label_names()


def test_nothing_to_classify_sends_nothing() -> None:
    model = FakeModel()
    with client_of(model) as client:
        assert client.classify([]) == []
    assert model.requests == []
    assert model.closed


@pytest.mark.parametrize(
    ("texts", "text_pairs", "error", "said"),
    [
        ("text", None, TypeError, "texts is one string"),
        (["a"], [], ValueError, "texts has 1 but text_pairs has 0"),
        (["a", "\udcff"], None, TextError, r"text 2: .*U\+DCFF"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    texts: list[str], text_pairs: list[str] | None, error: type[Exception], said: str
) -> None:
    model = FakeModel()
    with client_of(model) as client, pytest.raises(error, match=said):
        client.classify(texts, text_pairs)
    assert model.requests == []


def test_no_labels_at_all_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="top_k is 0"):
        SeqClsCodec(top_k=0)


def test_the_asyncio_client_answers_like_the_blocking_one() -> None:
    async def ask() -> tuple[list[Classification], tuple[str, ...]]:
        async with AsyncSeqClsClient("fake:8001", transport=FakeAsyncTransport(model)) as client:
            return await client.classify(["a", "b"], ["x", "y"], top_k=3), (
                await client.label_names()
            )

    model = FakeModel(facts=PAIR_FACTS)
    results, names = asyncio.run(ask())
    with client_of(FakeModel(facts=PAIR_FACTS)) as client:
        assert client.classify(["a", "b"], ["x", "y"], top_k=3) == results
    assert names == LABELS
    assert model.closed


def test_the_asyncio_client_names_the_text_at_fault() -> None:
    async def ask() -> None:
        async with AsyncSeqClsClient("fake:8001", transport=FakeAsyncTransport(model)) as client:
            await client.classify(["a", "b!"])

    model = FakeModel(fault=refuse_texts_with("!"))
    with pytest.raises(RequestRefusedError, match="text 2"):
        asyncio.run(ask())


def test_both_clients_reach_a_real_server(grpc_url: str) -> None:
    async def ask() -> list[Classification]:
        async with AsyncSeqClsClient(grpc_url) as client:
            return await client.classify(["好", "a long text", "c"])

    with SeqClsClient(grpc_url) as client:
        results = client.classify(["好", "a long text", "c"])
        assert [len(one.labels) for one in client.classify(["好"] * 3, top_k=2)] == [2, 2, 2]
        assert client.label_names() == ("negative", "positive")
    assert [(one.best.name, one.truncated) for one in results] == [
        ("positive", False),
        ("positive", True),
        ("positive", False),
    ]
    assert asyncio.run(ask()) == results


def test_a_coroutine_that_suspends_is_no_blocking_call() -> None:
    with pytest.raises(RuntimeError, match="suspended"):
        run_blocking(asyncio.sleep(0))
