"""Vectors of texts, in OpenAI's shape."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Literal

import msgspec

from ernie_triton.arrays import Float32
from ernie_triton.client.client import rows_from_columns
from ernie_triton.client.tasks.embedding import AsyncEmbeddingClient
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint, ModelName, Texts
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.gateway.problems import ProblemError
from ernie_triton.tasks import EMBEDDING


class EmbeddingsRequest(msgspec.Struct, kw_only=True):
    """Texts to turn into vectors; further members of OpenAI's request are ignored."""

    input: Texts
    model: ModelName = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    user: str | None = None


class EmbeddingItem(msgspec.Struct, kw_only=True):
    """The vector of one text: numbers, or little-endian float32 in base64."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class TokenUsage(msgspec.Struct, kw_only=True):
    """Tokens that the model read, special ones included."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(msgspec.Struct, kw_only=True):
    """The vectors in the order of the texts; `usage` where the pipeline counts its tokens."""

    object: Literal["list"] = "list"
    model: str
    data: list[EmbeddingItem]
    usage: TokenUsage | msgspec.UnsetType = msgspec.UNSET


async def _answer(call: Call, request: EmbeddingsRequest) -> EmbeddingsAnswer:
    texts = call.list_of(request.input)

    async def embed(served: ServedPipeline) -> tuple[Float32, int | None]:
        _check_dimensions(served, request.dimensions)
        client = served.client(AsyncEmbeddingClient, call.timeout_s)
        counted = served.tokens.counted(rows_from_columns({"input": texts}), call.timeout_s)
        return await asyncio.gather(client.embed(texts), counted)

    vectors, tokens = await call.ask(request.model, (EMBEDDING,), embed)
    encode = base64_from_vectors if request.encoding_format == "base64" else _numbers
    return EmbeddingsAnswer(
        model=call.pipeline,
        data=[
            EmbeddingItem(index=index, embedding=encode(vector))
            for index, vector in enumerate(vectors)
        ],
        usage=msgspec.UNSET
        if tokens is None
        else TokenUsage(prompt_tokens=tokens, total_tokens=tokens),
    )


def _check_dimensions(served: ServedPipeline, wanted: int | None) -> None:
    """Refuse a length that the vectors have not: no pipeline says that a part of one is enough."""
    [length] = served.facts.outputs["embedding"]
    if wanted not in (None, length):
        raise ProblemError(
            "not-as-described",
            422,
            f"`dimensions` is {wanted}, and the vectors of {served.name!r} have {length} numbers",
            "leave `dimensions` out",
        )


def _numbers(vector: Float32) -> list[float]:
    numbers: list[float] = vector.tolist()
    return numbers


def base64_from_vectors(vectors: Float32) -> str:
    """Little-endian float32 numbers in base64, row by row."""
    return base64.b64encode(vectors.astype("<f4").tobytes()).decode("ascii")


EMBEDDINGS_ENDPOINT = JsonEndpoint(
    path="/v1/embeddings",
    summary="Turn texts into vectors, as OpenAI's API does.",
    request=EmbeddingsRequest,
    answer_type=EmbeddingsAnswer,
    answer=_answer,
    example={"model": "ernie_embedding", "input": ["花呗怎么提前还款"]},
    example_answer={
        "object": "list",
        "model": "ernie_embedding",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.6, -0.8]}],
        "usage": {"prompt_tokens": 10, "total_tokens": 10},
    },
    tasks=(EMBEDDING,),
)
