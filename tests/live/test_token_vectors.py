"""Weights and vectors of tokens through the real server, alone and with many in flight."""

import asyncio
import random
from typing import Any

import numpy as np
import pytest

from ernie_triton.client.tasks.colbert import AsyncColbertClient, ColbertClient
from ernie_triton.client.tasks.embedding import EmbeddingClient
from ernie_triton.client.tasks.sparse import AsyncSparseClient, SparseClient
from ernie_triton.errors import RequestRefusedError
from ernie_triton.server.embedded import EmbeddedServer

pytestmark = pytest.mark.live

QUERY = "花呗怎么提前还款"
SAME, OTHER = "花呗可以提前还清吗", "微信怎么绑定银行卡"
LONG = QUERY * 20


def test_what_asks_the_same_scores_higher_by_weights_and_by_vectors(server: EmbeddedServer) -> None:
    with SparseClient(server.url) as sparse, ColbertClient(server.url) as colbert:
        query, same, other, long = sparse.weigh([QUERY, SAME, OTHER, LONG])
        near, far = colbert.score(QUERY, [SAME, OTHER])
        vectors = colbert.embed([QUERY, LONG, ""])
    assert query.dot(same) > query.dot(other)
    assert near > far
    assert (query.truncated, long.truncated) == (False, True)
    # Eight characters and [SEP]; 64 tokens without [CLS]; [SEP] alone.
    assert [len(one.vectors) for one in vectors] == [9, 63, 1]
    assert [one.truncated for one in vectors] == [False, True, False]
    lengths = np.linalg.norm(np.concatenate([one.vectors for one in vectors]), axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-5)


def test_one_checkpoint_serves_vectors_of_texts_and_of_tokens(server: EmbeddedServer) -> None:
    with EmbeddingClient(server.url) as dense, ColbertClient(server.url) as colbert:
        assert dense.embed([QUERY]).shape == (1, 64)
        assert colbert.embed([QUERY])[0].vectors.shape == (9, 32)


def test_many_in_flight_have_their_solo_answers_beside_bad_ones(server: EmbeddedServer) -> None:
    chance = random.Random(0)
    texts = [chance.choice([QUERY, SAME, OTHER]) * chance.randint(1, 8) for _ in range(40)]

    async def ask_all() -> tuple[list[Any], list[Any]]:
        async with (
            AsyncSparseClient(server.url, timeout_s=120) as sparse,
            AsyncColbertClient(server.url, timeout_s=120) as colbert,
        ):
            weighed = [sparse.weigh([text]) for text in texts]
            weighed.insert(9, sparse.weigh(["a" * 2_000_000]))
            embedded = [colbert.embed([text]) for text in texts]
            embedded.insert(9, colbert.embed(["a" * 2_000_000]))
            both = await asyncio.gather(*weighed, *embedded, return_exceptions=True)
        return both[: len(weighed)], both[len(weighed) :]

    weighed, embedded = asyncio.run(ask_all())
    for answers in (weighed, embedded):
        refused = answers.pop(9)
        assert isinstance(refused, RequestRefusedError)
        assert "2,000,000 bytes" in str(refused)
    with SparseClient(server.url) as sparse, ColbertClient(server.url) as colbert:
        for text, weights, vectors in zip(texts, weighed, embedded, strict=True):
            [alone] = sparse.weigh([text])
            assert weights[0].indices.tolist() == alone.indices.tolist()
            np.testing.assert_allclose(weights[0].values, alone.values, atol=1e-5)
            [one] = colbert.embed([text])
            np.testing.assert_allclose(vectors[0].vectors, one.vectors, atol=1e-5)
