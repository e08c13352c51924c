"""Scores of texts or pairs: one number each."""

from __future__ import annotations

import msgspec

from ernie_triton.client.tasks.regression import AsyncRegressionClient, Score
from ernie_triton.gateway.endpoints.endpoint import (
    Call,
    JsonEndpoint,
    ModelName,
    Texts,
    check_pair,
    second_texts,
)
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import REGRESSION


class ScoreRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Texts, or pairs of texts, to score."""

    input: Texts
    pair: Texts | None = None
    model: ModelName = ""


class ScoreAnswer(msgspec.Struct, kw_only=True):
    """The score of each text or pair."""

    model: str
    results: list[Score]


async def _answer(call: Call, request: ScoreRequest) -> ScoreAnswer:
    texts = call.list_of(request.input)
    pairs = second_texts(texts, request.pair)

    async def score(served: ServedPipeline) -> ScoreAnswer:
        check_pair(served, pairs)
        client = served.client(AsyncRegressionClient, call.timeout_s)
        return ScoreAnswer(model=served.name, results=await client.score(texts, pairs))

    return await call.ask(request.model, (REGRESSION,), score)


SCORE_ENDPOINT = JsonEndpoint(
    path="/v1/score",
    summary="Score texts or pairs of texts with one number.",
    request=ScoreRequest,
    answer_type=ScoreAnswer,
    answer=_answer,
    example={
        "model": "ernie_regression",
        "input": ["花呗怎么提前还款"],
        "pair": ["花呗可以提前还清吗"],
    },
    example_answer={
        "model": "ernie_regression",
        "results": [{"value": 0.91, "truncated": False}],
    },
    tasks=(REGRESSION,),
)
