"""Answers to questions, found in their contexts."""

from __future__ import annotations

import msgspec

from ernie_triton.client.tasks.qa import Answer, AsyncQaClient
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint, ModelName, Texts, as_many
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import QA


class AnswerRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Questions, and the contexts to find their answers in; one context serves all."""

    question: Texts
    context: Texts
    model: ModelName = ""


class AnswersAnswer(msgspec.Struct, kw_only=True):
    """The answer to each question; `start` and `end` count characters of its context."""

    model: str
    results: list[Answer]


async def _answer(call: Call, request: AnswerRequest) -> AnswersAnswer:
    questions = call.list_of(request.question)
    contexts = as_many(questions, request.context, ("question", "context"))

    async def find(served: ServedPipeline) -> AnswersAnswer:
        client = served.client(AsyncQaClient, call.timeout_s)
        return AnswersAnswer(model=served.name, results=await client.answer(questions, contexts))

    return await call.ask(request.model, (QA,), find)


ANSWER_ENDPOINT = JsonEndpoint(
    path="/v1/answer",
    summary="Answer questions from their contexts.",
    request=AnswerRequest,
    answer_type=AnswersAnswer,
    answer=_answer,
    example={
        "model": "ernie_qa",
        "question": ["大桥全长多少米？"],
        "context": ["济阳黄河大桥全长2023米。"],
    },
    example_answer={
        "model": "ernie_qa",
        "results": [
            {
                "text": "2023米",
                "score": 0.98,
                "start": 8,
                "end": 13,
                "candidates": [{"text": "2023米", "score": 0.98, "start": 8, "end": 13}],
            }
        ],
    },
    tasks=(QA,),
)
