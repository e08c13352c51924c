"""Lexical weights from Python: texts in, the weights of their tokens out.

A task client over `client` and `core`; the command line is `cli.sparse`.

    with SparseClient("localhost:8001") as client:
        query, text = client.weigh(["花呗怎么还款", "花呗可以提前还清吗"])
        print(query.dot(text))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Float32, Int64
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
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.errors import ClientError
from ernie_triton.tasks import NO_TOKEN, SPARSE, Task

_OUTPUTS = (*(tensor.name for tensor in SPARSE.results), "truncated")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseVector:
    """The weights of a text's tokens.

    Attributes:
        indices: ids of the vocabulary's tokens in rising order, int64 [tokens].
        values: the weight of each, above 0, float32 [tokens].
        truncated: the model saw only the text's beginning.
    """

    indices: Int64
    values: Float32
    truncated: bool

    def dot(self, other: SparseVector) -> float:
        """The lexical score of two texts: the sum of the products of the weights they share."""
        _, mine, theirs = np.intersect1d(
            self.indices, other.indices, assume_unique=True, return_indices=True
        )
        return float(self.values[mine].astype(np.float64) @ other.values[theirs])


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseCodec:
    """The outputs of lexical weights, and the reading of its reply."""

    @property
    def task(self) -> Task:
        """Lexical weights."""
        return SPARSE

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return tuple(RequestedOutput(name=name) for name in _OUTPUTS)

    def results_from_reply(self, reply: Reply) -> list[SparseVector]:
        """The weights of each row of the request."""
        indices, values, cut = (reply[name] for name in _OUTPUTS)
        return [
            SparseVector(indices=ids[ids != NO_TOKEN], values=row[ids != NO_TOKEN], truncated=one)
            for ids, row, one in zip(indices, values, cut.ravel().tolist(), strict=True)
        ]


class SparseClient(BlockingClient):
    """Weighs the tokens of texts on a Triton server."""

    task = SPARSE

    def weigh(self, texts: Sequence[str], *, prompt_name: str | None = None) -> list[SparseVector]:
        """Weigh the tokens of each text.

        Args:
            texts: to weigh the tokens of.
            prompt_name: one of the model's prompts to put before each text; its tokens weigh too.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ContractError: the model has no such prompt.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_weigh(self._caller, texts, prompt_name))


class AsyncSparseClient(AsyncioClient):
    """`SparseClient` for asyncio; calls may run at once."""

    task = SPARSE

    async def weigh(
        self, texts: Sequence[str], *, prompt_name: str | None = None
    ) -> list[SparseVector]:
        """Weigh the tokens of each text; see `SparseClient.weigh`."""
        return await _weigh(self.caller, texts, prompt_name)


async def weight_outcomes(
    caller: Caller, rows: Sequence[Row], prompt: str
) -> list[SparseVector | ClientError]:
    """The weights of each text with the prompt before it, or its error."""
    return await caller.outcomes(with_prompt(rows, prompt), SparseCodec())


async def lexical_outcomes(caller: Caller, pairs: Sequence[Row]) -> list[Score | ClientError]:
    """The lexical score of each query and its document, or the error of one of the two."""
    prompts = await role_prompts(caller)
    return await pair_outcomes(caller, pairs, SparseCodec(), _score_of, prompts)


async def lexical_rankings(caller: Caller, rows: Sequence[Row]) -> list[Ranking | ClientError]:
    """Rank the documents of each query by their lexical score, or give the error of a text."""
    return await ranking_by_score(caller, rows, SparseCodec(), SparseVector.dot)


def _score_of(one: SparseVector, two: SparseVector) -> Score:
    return Score(value=one.dot(two), truncated=one.truncated or two.truncated)


async def _weigh(
    caller: Caller, texts: Sequence[str], prompt_name: str | None
) -> list[SparseVector]:
    prompt = await prompt_named(caller, prompt_name)
    rows = with_prompt(rows_from_columns({"texts": texts}), prompt)
    return await caller.results(rows, SparseCodec())
