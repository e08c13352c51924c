"""Documents of a query by relevance, in the shape of Cohere's and Jina's APIs."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ernie_triton.client.tasks.rerank import AsyncRerankClient, Ranking
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint, ModelName
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import RERANK


class RerankDocument(msgspec.Struct, kw_only=True):
    """A document as an object; further members are ignored."""

    text: str


class RerankRequest(msgspec.Struct, kw_only=True):
    """A query and its documents; further members of Cohere's and Jina's requests are ignored."""

    query: str
    documents: Annotated[list[str | RerankDocument], msgspec.Meta(min_length=1)]
    model: ModelName = ""
    top_n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    return_documents: bool = False


class RerankResult(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One document: its place among those sent, its relevance, and its text if asked for."""

    index: int
    relevance_score: float
    truncated: bool = False
    document: RerankDocument | None = None


class RerankAnswer(msgspec.Struct, kw_only=True):
    """The documents, best first; those of equal relevance as they were sent."""

    model: str
    results: list[RerankResult]


async def _answer(call: Call, request: RerankRequest) -> RerankAnswer:
    texts = [one if isinstance(one, str) else one.text for one in request.documents]
    documents = call.list_of(texts)

    async def rank(served: ServedPipeline) -> Ranking:
        client = served.client(AsyncRerankClient, call.timeout_s)
        return await client.rank(request.query, documents, top_n=request.top_n)

    ranking = await call.ask(request.model, (RERANK,), rank)
    results = [
        RerankResult(
            index=one.index,
            relevance_score=one.score,
            truncated=one.truncated,
            document=RerankDocument(text=documents[one.index])
            if request.return_documents
            else None,
        )
        for one in ranking
    ]
    return RerankAnswer(model=call.pipeline, results=results)


RERANK_ENDPOINT = JsonEndpoint(
    path="/v1/rerank",
    summary="Rank the documents of a query, as Cohere's and Jina's APIs do.",
    request=RerankRequest,
    answer_type=RerankAnswer,
    answer=_answer,
    example={
        "model": "ernie_rerank",
        "query": "花呗怎么提前还款",
        "documents": ["今天天气很好", "花呗可以提前还清吗"],
        "top_n": 1,
    },
    example_answer={
        "model": "ernie_rerank",
        "results": [{"index": 1, "relevance_score": 0.93}],
    },
    tasks=(RERANK,),
)
