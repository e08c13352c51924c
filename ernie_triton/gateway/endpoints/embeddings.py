"""Vectors of texts, in OpenAI's shape."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import msgspec

from ernie_triton.arrays import Float32
from ernie_triton.client.embedding import AsyncEmbeddingClient
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


class EmbeddingsAnswer(msgspec.Struct, kw_only=True):
    """The vectors in the order of the texts."""

    object: Literal["list"] = "list"
    model: str
    data: list[EmbeddingItem]


async def _answer(call: Call, request: EmbeddingsRequest) -> EmbeddingsAnswer:
    texts = call.list_of(request.input)

    async def embed(served: ServedPipeline) -> Float32:
        _check_dimensions(served, request.dimensions)
        return await served.client(AsyncEmbeddingClient, call.timeout_s).embed(texts)

    vectors = await call.ask(request.model, (EMBEDDING,), embed)
    encode = _base64 if request.encoding_format == "base64" else _numbers
    return EmbeddingsAnswer(
        model=call.pipeline,
        data=[
            EmbeddingItem(index=index, embedding=encode(vector))
            for index, vector in enumerate(vectors)
        ],
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


def _base64(vector: Float32) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


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
    },
    tasks=(EMBEDDING,),
)
