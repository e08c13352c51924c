"""Token vectors from Python: texts in, the vectors of their tokens out (ColBERT, bge-m3).

A task client over `client` and `core`; the command line is `cli.colbert`.

    with ColbertClient("localhost:8001") as client:
        print(client.score("花呗怎么还款", ["花呗可以提前还清吗", "今天天气很好"]))
        query, text = client.embed(["花呗怎么还款", "花呗可以提前还清吗"])
        print(query.vectors.shape, query.max_sim(text))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ernie_triton.arrays import Array, Float32
from ernie_triton.client.client import (
    AsyncioClient,
    BlockingClient,
    rows_from_columns,
    run_blocking,
)
from ernie_triton.client.core import Caller, Row
from ernie_triton.client.tasks.regression import Score
from ernie_triton.client.tasks.rerank import Ranking
from ernie_triton.client.tasks.retrieval import (
    pair_outcomes,
    prompt_named,
    ranking_by_score,
    role_prompts,
    with_prompt,
)
from ernie_triton.client.tasks.vectors import VectorForm
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.errors import ClientError
from ernie_triton.tasks import COLBERT, Task

_OUTPUTS = (*(tensor.name for tensor in COLBERT.results), "truncated")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenVectors:
    """The vectors of a text's tokens.

    Attributes:
        vectors: float32 [tokens, width], unless another form was wanted.
        truncated: the model saw only the text's beginning.
    """

    vectors: Array
    truncated: bool

    def max_sim(self, document: TokenVectors) -> float:
        """The late interaction of this query with a document, as ColBERT has it.

        The sum over the query's vectors of the largest dot product with one of the document's.
        FlagEmbedding divides it by the number of the query's vectors; the order of documents is the
        same.

        Raises:
            ValueError: the vectors of one of the two are bytes or bits.
        """
        for one in (self, document):
            if one.vectors.dtype != np.float32:
                raise ValueError(f"vectors are {one.vectors.dtype}; expected float32")
        return float((self.vectors @ document.vectors.T).max(axis=1).astype(np.float64).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class ColbertCodec:
    """The outputs of token vectors, and the reading of its reply."""

    @property
    def task(self) -> Task:
        """Token vectors."""
        return COLBERT

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return tuple(RequestedOutput(name=name) for name in _OUTPUTS)

    def results_from_reply(self, reply: Reply) -> list[TokenVectors]:
        """The vectors of each row of the request."""
        vectors, counts, cut = (reply[name] for name in _OUTPUTS)
        columns = zip(vectors, counts.ravel().tolist(), cut.ravel().tolist(), strict=True)
        return [TokenVectors(vectors=row[:count], truncated=one) for row, count, one in columns]


class ColbertClient(BlockingClient):
    """Turns texts into the vectors of their tokens on a Triton server."""

    task = COLBERT

    def embed(self, texts: Sequence[str], *, prompt_name: str | None = None) -> list[TokenVectors]:
        """The vectors of the tokens of each text.

        Args:
            texts: to embed.
            prompt_name: one of the model's prompts, such as `query`, to put before each text.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ContractError: the model has no such prompt.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_embed(self._caller, texts, prompt_name))

    def score(self, query: str, documents: Sequence[str]) -> Float32:
        """The late interaction of a query with each document, as float32 [documents].

        The model's prompts for queries and documents are used, where it has some.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_score(self._caller, query, documents))

    def prompts(self) -> Mapping[str, str]:
        """The texts that `embed` puts before others, by name."""
        return run_blocking(self._caller.facts()).prompts


class AsyncColbertClient(AsyncioClient):
    """`ColbertClient` for asyncio; calls may run at once."""

    task = COLBERT

    async def embed(
        self, texts: Sequence[str], *, prompt_name: str | None = None
    ) -> list[TokenVectors]:
        """The vectors of the tokens of each text; see `ColbertClient.embed`."""
        return await _embed(self.caller, texts, prompt_name)

    async def score(self, query: str, documents: Sequence[str]) -> Float32:
        """The late interaction of a query with each document; see `ColbertClient.score`."""
        return await _score(self.caller, query, documents)

    async def prompts(self) -> Mapping[str, str]:
        """The texts that `embed` puts before others, by name."""
        return (await self.caller.facts()).prompts


async def token_vector_outcomes(
    caller: Caller, rows: Sequence[Row], prompt: str, form: VectorForm
) -> list[TokenVectors | ClientError]:
    """The vectors of each text with the prompt before it, in the form wanted, or its error."""
    found = await caller.outcomes(with_prompt(rows, prompt), ColbertCodec())
    return [
        one if isinstance(one, ClientError) else replace(one, vectors=form.of(one.vectors))
        for one in found
    ]


async def interaction_outcomes(caller: Caller, pairs: Sequence[Row]) -> list[Score | ClientError]:
    """The late interaction of each query with its document, or the error of one of the two."""
    prompts = await role_prompts(caller)
    return await pair_outcomes(caller, pairs, ColbertCodec(), _score_of, prompts)


async def interaction_rankings(caller: Caller, rows: Sequence[Row]) -> list[Ranking | ClientError]:
    """Rank the documents of each query by their late interaction, or give the error of a text."""
    return await ranking_by_score(caller, rows, ColbertCodec(), TokenVectors.max_sim)


def _score_of(query: TokenVectors, document: TokenVectors) -> Score:
    return Score(value=query.max_sim(document), truncated=query.truncated or document.truncated)


async def _embed(
    caller: Caller, texts: Sequence[str], prompt_name: str | None
) -> list[TokenVectors]:
    prompt = await prompt_named(caller, prompt_name)
    return await caller.results(
        with_prompt(rows_from_columns({"texts": texts}), prompt), ColbertCodec()
    )


async def _score(caller: Caller, query: str, documents: Sequence[str]) -> Float32:
    prompts = await role_prompts(caller)
    rows = [
        *with_prompt(rows_from_columns({"query": [query]}), prompts.query),
        *with_prompt(rows_from_columns({"documents": documents}), prompts.document),
    ]
    asked, *found = await caller.results(rows, ColbertCodec())
    return np.array([asked.max_sim(one) for one in found], np.float32)
