"""Lexical weights of texts: sparse vectors over the vocabulary."""

from __future__ import annotations

import msgspec

from ernie_triton.client.tasks.sparse import AsyncSparseClient
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint, ModelName, Texts
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import SPARSE


class SparseRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Texts to weigh the tokens of."""

    input: Texts
    model: ModelName = ""


class TokenWeights(msgspec.Struct, kw_only=True):
    """Ids of a text's tokens in rising order, and the weight of each."""

    indices: list[int]
    values: list[float]
    truncated: bool


class SparseAnswer(msgspec.Struct, kw_only=True):
    """The weights of each text, in the order of the texts."""

    model: str
    results: list[TokenWeights]


async def _answer(call: Call, request: SparseRequest) -> SparseAnswer:
    texts = call.list_of(request.input)

    async def weigh(served: ServedPipeline) -> SparseAnswer:
        found = await served.client(AsyncSparseClient, call.timeout_s).weigh(texts)
        results = [
            TokenWeights(
                indices=one.indices.tolist(),
                values=one.values.tolist(),
                truncated=one.truncated,
            )
            for one in found
        ]
        return SparseAnswer(model=served.name, results=results)

    return await call.ask(request.model, (SPARSE,), weigh)


SPARSE_ENDPOINT = JsonEndpoint(
    path="/v1/sparse",
    summary="Weigh the tokens of texts, for lexical retrieval.",
    request=SparseRequest,
    answer_type=SparseAnswer,
    answer=_answer,
    example={"model": "ernie_sparse", "input": ["花呗怎么提前还款"]},
    example_answer={
        "model": "ernie_sparse",
        "results": [{"indices": [266, 1024], "values": [0.25, 0.5], "truncated": False}],
    },
    tasks=(SPARSE,),
)
