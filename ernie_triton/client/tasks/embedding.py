"""Embeddings from Python: texts in, vectors or cosines out.

A task client over `client` and `core`; the command line is `cli.embedding`.

    with EmbeddingClient("localhost:8001") as client:
        vectors = client.embed(["今天的股市大涨"])  # float32 [1, hidden]
        print(client.similarity(["股市大涨"], ["股价上升"]))
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
from ernie_triton.client.tasks.retrieval import pair_outcomes, prompt_named, with_prompt
from ernie_triton.client.tasks.vectors import VectorForm, shorten_vectors
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.errors import ClientError, ContractError
from ernie_triton.tasks import EMBEDDING, Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedding:
    """The vector of one text, and whether the model saw only its start.

    The vector is float32 [hidden], unless another form was wanted.
    """

    vector: Array
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """The cosine of the vectors of two texts, and whether one of them was cut."""

    cosine: float
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingCodec:
    """The outputs of embedding, and the reading of its reply."""

    @property
    def task(self) -> Task:
        """Embedding."""
        return EMBEDDING

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return (RequestedOutput(name="embedding"), RequestedOutput(name="truncated"))

    def results_from_reply(self, reply: Reply) -> list[Embedding]:
        """The vector of each row of the request."""
        cut = reply["truncated"].ravel().tolist()
        return [
            Embedding(vector=vector, truncated=truncated)
            for vector, truncated in zip(reply["embedding"], cut, strict=True)
        ]


class EmbeddingClient(BlockingClient):
    """Turns texts into vectors on a Triton server."""

    task = EMBEDDING

    def embed(
        self,
        texts: Sequence[str],
        *,
        prompt_name: str | None = None,
        dimensions: int | None = None,
    ) -> Float32:
        """The vector of each text, as float32 [texts, hidden].

        Args:
            texts: to embed.
            prompt_name: one of the model's prompts, such as `query`, to put before each text.
            dimensions: keep so many features of each vector, scaled to length 1 again.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ContractError: the model has no such prompt.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_embed(self._caller, texts, prompt_name, dimensions))

    def prompts(self) -> Mapping[str, str]:
        """The texts that `embed` puts before others, by name."""
        return run_blocking(self._caller.facts()).prompts

    def similarity(self, texts: Sequence[str], others: Sequence[str]) -> Float32:
        """The cosine of each text with the other beside it, as float32 [texts].

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_similarity(self._caller, texts, others))


class AsyncEmbeddingClient(AsyncioClient):
    """`EmbeddingClient` for asyncio; calls may run at once."""

    task = EMBEDDING

    async def embed(
        self,
        texts: Sequence[str],
        *,
        prompt_name: str | None = None,
        dimensions: int | None = None,
    ) -> Float32:
        """The vector of each text, as float32 [texts, hidden]; see `EmbeddingClient.embed`."""
        return await _embed(self.caller, texts, prompt_name, dimensions)

    async def prompts(self) -> Mapping[str, str]:
        """The texts that `embed` puts before others, by name."""
        return (await self.caller.facts()).prompts

    async def similarity(self, texts: Sequence[str], others: Sequence[str]) -> Float32:
        """The cosine of each text with the other beside it, as float32 [texts]."""
        return await _similarity(self.caller, texts, others)


async def hidden_size(caller: Caller) -> int:
    """The length of the model's vectors.

    Raises:
        ContractError: the model's config does not say it.
    """
    dims = (await caller.facts()).outputs.get("embedding", ())
    if len(dims) != 1 or dims[0] < 1:
        raise ContractError(
            f"the model's config gives its embedding the shape {list(dims)}, expected one fixed "
            "length; name a model of embedding"
        )
    return dims[0]


async def similarity_outcomes(
    caller: Caller, pairs: Sequence[Row]
) -> list[Similarity | ClientError]:
    """The cosine of each pair of texts, or the error of one of the two."""
    return await pair_outcomes(caller, pairs, EmbeddingCodec(), _similarity_of)


def cosines(vectors: Float32, others: Float32) -> Float32:
    """The cosine of each row with the row beside it, as float32 [rows]; 0 beside a zero vector."""
    ones, twos = vectors.astype(np.float64), others.astype(np.float64)
    norms = np.linalg.norm(ones, axis=1) * np.linalg.norm(twos, axis=1)
    products = (ones * twos).sum(axis=1)
    quotients = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
    return np.asarray(quotients.clip(-1.0, 1.0), dtype=np.float32)


async def embedding_outcomes(
    caller: Caller, rows: Sequence[Row], prompt: str, form: VectorForm
) -> list[Embedding | ClientError]:
    """The vector of each text with the prompt before it, in the form wanted, or its error."""
    found = await caller.outcomes(with_prompt(rows, prompt), EmbeddingCodec())
    return [
        outcome
        if isinstance(outcome, ClientError)
        else replace(outcome, vector=form.of(outcome.vector[None])[0])
        for outcome in found
    ]


async def _embed(
    caller: Caller,
    texts: Sequence[str],
    prompt_name: str | None = None,
    dimensions: int | None = None,
) -> Float32:
    prompt = await prompt_named(caller, prompt_name)
    rows = with_prompt(rows_from_columns({"texts": texts}), prompt)
    results = await caller.results(rows, EmbeddingCodec())
    vectors = np.zeros((0, await hidden_size(caller)), dtype=np.float32)
    if results:
        vectors = np.stack([result.vector for result in results])
    return vectors if dimensions is None else shorten_vectors(vectors, dimensions)


async def _similarity(caller: Caller, texts: Sequence[str], others: Sequence[str]) -> Float32:
    rows_from_columns({"texts": texts, "others": others})
    return cosines(await _embed(caller, texts), await _embed(caller, others))


def _similarity_of(one: Embedding, two: Embedding) -> Similarity:
    [cosine] = cosines(one.vector[None], two.vector[None]).tolist()
    return Similarity(cosine=cosine, truncated=one.truncated or two.truncated)
