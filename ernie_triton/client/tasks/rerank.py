"""Reranking from Python: a query and its documents in, the documents by relevance out.

A task client over `client` and `core`; the command line is `cli.rerank`. The answer holds a score
and a place for each document. The documents themselves stay here; they are not sent back.

    with RerankClient("localhost:8001") as client:
        for document in client.rank("花呗怎么还款", ["花呗还款方式", "今天天气"], top_n=1):
            print(document.index, document.score)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ernie_triton.client.client import (
    AsyncioClient,
    BlockingClient,
    rows_from_columns,
    run_blocking,
)
from ernie_triton.client.core import Caller, Row
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.errors import ClientError, TextError
from ernie_triton.tasks import RERANK, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedDocument:
    """One document of a query.

    Attributes:
        index: its place among the documents that were sent, from 0.
        score: its relevance.
        truncated: the model saw only its start, or that of the query.
        document: the text, where it is asked for.
    """

    index: int
    score: float
    truncated: bool
    document: str | None = None


Ranking = tuple[RankedDocument, ...]
"""A query's documents, best first; equal scores in the order that was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankCodec:
    """The outputs of reranking, and the reading of its reply."""

    @property
    def task(self) -> Task:
        """Reranking."""
        return RERANK

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return tuple(RequestedOutput(name=name) for name in ("scores", "order", "truncated"))

    def results_from_reply(self, reply: Reply) -> list[Ranking]:
        """The ranking of each query of the request."""
        columns = (reply[name].tolist() for name in ("scores", "order", "truncated"))
        return [
            tuple(
                RankedDocument(index=place, score=scores[place], truncated=cut[place])
                for place in order
            )
            for scores, order, cut in zip(*columns, strict=True)
        ]


class RerankClient(BlockingClient):
    """Ranks the documents of a query on a Triton server."""

    task = RERANK

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        return_documents: bool = False,
    ) -> Ranking:
        """The documents by relevance, best first.

        Args:
            query: the question.
            documents: at most as many as the server takes in one request.
            top_n: only so many of the best; all by default.
            return_documents: put the texts into the result.

        Raises:
            TextError: there are no documents, or a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_rank(self._caller, query, documents, top_n, return_documents))


class AsyncRerankClient(AsyncioClient):
    """`RerankClient` for asyncio; calls may run at once."""

    task = RERANK

    async def rank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        return_documents: bool = False,
    ) -> Ranking:
        """The documents by relevance, best first; see `RerankClient.rank`."""
        return await _rank(self.caller, query, documents, top_n, return_documents)


async def ranking_outcomes(
    caller: Caller, rows: Sequence[Row], top_n: int | None, return_documents: bool
) -> list[Ranking | ClientError]:
    """The ranking of each row, which has a query and its documents, or the error of that row."""
    found = await caller.outcomes(rows, RerankCodec())
    return [
        outcome
        if isinstance(outcome, ClientError)
        else _shown(outcome, row[1:], top_n, return_documents)
        for row, outcome in zip(rows, found, strict=True)
    ]


async def _rank(
    caller: Caller,
    query: str,
    documents: Sequence[str],
    top_n: int | None,
    return_documents: bool,
) -> Ranking:
    if top_n is not None and top_n < 1:
        raise ValueError(f"top_n is {top_n}; it must be at least 1")
    if not len(documents):
        raise TextError("there are no documents to rank; give at least one")
    columns = rows_from_columns({"documents": documents})
    [(sent,)] = rows_from_columns({"query": [query]})
    row = (sent, *(text for (text,) in columns))
    [found] = await ranking_outcomes(caller, [row], top_n, return_documents)
    if isinstance(found, ClientError):
        raise found
    return found


def _shown(
    ranking: Ranking, documents: Sequence[bytes], top_n: int | None, return_documents: bool
) -> Ranking:
    """The best documents of a ranking, with their texts if they are asked for."""
    best = ranking[:top_n]
    if not return_documents:
        return best
    return tuple(replace(one, document=documents[one.index].decode("utf-8")) for one in best)
