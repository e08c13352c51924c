"""Answers from Python, over a model in memory and a real gRPC server."""

from __future__ import annotations

import asyncio

import pytest

from ernie_triton.client.tasks.qa import Answer, AsyncQaClient, Candidate, QaClient
from tests.client.fakes import FakeAsyncTransport, FakeModel, FakeTransport
from tests.client.task_fakes import qa_model

NONE = Candidate(text="", score=0.25, start=-1, end=-1)


def client_of(model: FakeModel) -> QaClient:
    return QaClient("fake:8001", transport=FakeTransport(model))


def test_an_answer_is_cut_from_the_context_by_its_characters() -> None:
    context = "😀北京是中国的首都。"
    with client_of(qa_model()) as client:
        [answer] = client.answer(["哪里有京"], [context])
    best = Candidate(text="京", score=0.5, start=2, end=3)
    assert answer == Answer(text="京", score=0.5, start=2, end=3, candidates=(best, NONE))
    assert answer.found
    assert context[answer.start : answer.end] == answer.text


def test_a_context_without_an_answer_says_so() -> None:
    with client_of(qa_model()) as client:
        [answer] = client.answer(["哪里有沪"], ["北京"])
    assert answer == Answer(text="", score=0.25, start=-1, end=-1, candidates=(NONE,))
    assert not answer.found


def test_every_question_has_a_context() -> None:
    with (
        client_of(qa_model()) as client,
        pytest.raises(ValueError, match="questions has 2 but contexts has 1"),
    ):
        client.answer(["a", "b"], ["c"])


def test_more_questions_than_the_model_takes_at_once_go_out_in_parts() -> None:
    model = qa_model()
    with client_of(model) as client:
        answers = client.answer([f"第{n}" for n in range(6)], ["0123456789"] * 6)
    assert [answer.text for answer in answers] == list("012345")
    assert [len(request.columns["question"]) for request in model.requests] == [4, 2]


def test_the_asyncio_client_answers_like_the_blocking_one() -> None:
    async def ask() -> list[Answer]:
        transport = FakeAsyncTransport(qa_model())
        async with AsyncQaClient("fake:8001", transport=transport) as client:
            return await client.answer(["京"], ["北京"])

    with client_of(qa_model()) as client:
        assert asyncio.run(ask()) == client.answer(["京"], ["北京"])


def test_answers_come_over_grpc(grpc_url: str) -> None:
    with QaClient(grpc_url) as client:
        answers = client.answer(["京"] * 3, ["北京"] * 3)
    assert [(one.text, one.score, one.start, one.end) for one in answers] == [("京", 0.5, 1, 2)] * 3
    assert [len(one.candidates) for one in answers] == [2, 2, 2]
