"""Vectors of the tokens of texts, for late interaction."""

from __future__ import annotations

from typing import Literal

import msgspec

from ernie_triton.client.tasks.colbert import AsyncColbertClient
from ernie_triton.gateway.endpoints.embeddings import base64_from_vectors
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint, ModelName, Texts
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import COLBERT


class ColbertRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Texts to turn into the vectors of their tokens."""

    input: Texts
    model: ModelName = ""
    encoding_format: Literal["float", "base64"] = "float"


class TextVectors(msgspec.Struct, kw_only=True):
    """The vectors of a text's tokens: numbers, or little-endian float32 in base64, row by row."""

    vectors: list[list[float]] | str
    tokens: int
    truncated: bool


class ColbertAnswer(msgspec.Struct, kw_only=True):
    """The vectors of each text, in the order of the texts."""

    model: str
    results: list[TextVectors]


async def _answer(call: Call, request: ColbertRequest) -> ColbertAnswer:
    texts = call.list_of(request.input)
    is_base64 = request.encoding_format == "base64"

    async def embed(served: ServedPipeline) -> ColbertAnswer:
        found = await served.client(AsyncColbertClient, call.timeout_s).embed(texts)
        results = [
            TextVectors(
                vectors=base64_from_vectors(one.vectors) if is_base64 else one.vectors.tolist(),
                tokens=len(one.vectors),
                truncated=one.truncated,
            )
            for one in found
        ]
        return ColbertAnswer(model=served.name, results=results)

    return await call.ask(request.model, (COLBERT,), embed)


COLBERT_ENDPOINT = JsonEndpoint(
    path="/v1/colbert",
    summary="Turn texts into the vectors of their tokens, for late interaction.",
    request=ColbertRequest,
    answer_type=ColbertAnswer,
    answer=_answer,
    example={"model": "ernie_colbert", "input": ["花呗怎么提前还款"]},
    example_answer={
        "model": "ernie_colbert",
        "results": [{"vectors": [[0.6, -0.8], [1.0, 0.0]], "tokens": 2, "truncated": False}],
    },
    tasks=(COLBERT,),
)
