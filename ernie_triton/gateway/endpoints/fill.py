"""The likeliest tokens in the place of each mask of texts."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ernie_triton.client.tasks.cloze import AsyncClozeClient, FilledText
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint, ModelName, Texts
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import CLOZE


class FillRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Texts with `[MASK]`, and the tokens to choose from; all where there are none."""

    input: Texts
    model: ModelName = ""
    top_k: Annotated[int, msgspec.Meta(ge=1)] | None = None
    candidates: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None


class FillAnswer(msgspec.Struct, kw_only=True):
    """For each text the tokens of each mask, the likeliest first."""

    model: str
    results: list[FilledText]


async def _answer(call: Call, request: FillRequest) -> FillAnswer:
    texts = call.list_of(request.input)

    async def fill(served: ServedPipeline) -> FillAnswer:
        client = served.client(AsyncClozeClient, call.timeout_s)
        found = await client.fill(texts, top_k=request.top_k, candidates=request.candidates)
        return FillAnswer(model=served.name, results=found)

    return await call.ask(request.model, (CLOZE,), fill)


FILL_ENDPOINT = JsonEndpoint(
    path="/v1/fill",
    summary="Find the likeliest tokens for each [MASK] of texts.",
    request=FillRequest,
    answer_type=FillAnswer,
    answer=_answer,
    example={"model": "ernie_cloze", "input": ["今天天[MASK]晴朗。"], "top_k": 1},
    example_answer={
        "model": "ernie_cloze",
        "results": [
            {
                "masks": [[{"token": "气", "token_id": 266, "probability": 0.99}]],
                "truncated": False,
            }
        ],
    },
    tasks=(CLOZE,),
)
