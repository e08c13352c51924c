"""Rankings through the real server: each request its own, however many are in flight."""

import asyncio
import random

import numpy as np
import pytest
import tritonclient.grpc as triton

from ernie_triton.client.tasks.regression import RegressionClient
from ernie_triton.client.tasks.rerank import AsyncRerankClient, Ranking, RerankClient
from ernie_triton.errors import RequestRefusedError
from ernie_triton.server.embedded import EmbeddedServer
from tests.live.requests import engine_runs, text_tensor

pytestmark = pytest.mark.live

DOCUMENTS = [
    "花呗可以提前还清吗",
    "花呗逾期了会怎么样",
    "",
    "今天北京的天气很好。" * 40,
    "借呗怎么开通",
    "IBM中国公司",
    "信用卡怎么提前还款",
]
QUERY = "花呗怎么提前还款"


def test_a_document_has_the_score_of_its_pair_and_the_best_comes_first(
    server: EmbeddedServer,
) -> None:
    with RegressionClient(server.url) as pairs:
        alone = pairs.score([QUERY] * len(DOCUMENTS), DOCUMENTS)
    with RerankClient(server.url) as client:
        found = client.rank(QUERY, DOCUMENTS, return_documents=True)
    assert [one.document for one in found] == [DOCUMENTS[one.index] for one in found]
    assert sorted(one.index for one in found) == list(range(len(DOCUMENTS)))
    for one in found:
        assert one.score == pytest.approx(alone[one.index].value, abs=1e-5)
        assert one.truncated is alone[one.index].truncated
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)


def test_many_requests_in_flight_have_their_solo_answers_beside_bad_ones(
    server: EmbeddedServer,
) -> None:
    chance = random.Random(0)
    asked = [
        (chance.choice(DOCUMENTS), chance.choices(DOCUMENTS, k=chance.randint(1, 9)))
        for _ in range(80)
    ]

    async def ask_all() -> list[Ranking | BaseException]:
        async with AsyncRerankClient(server.url, timeout_s=120) as client:
            calls = [client.rank(query, documents) for query, documents in asked]
            for place in range(0, 80, 20):
                calls.insert(place, client.rank(QUERY, ["a"] * 1025))
            return await asyncio.gather(*calls, return_exceptions=True)

    answered_before, runs_before = engine_runs(server.url, "ernie_rerank")
    together = asyncio.run(ask_all())
    answered, runs = engine_runs(server.url, "ernie_rerank", requests=answered_before + len(asked))
    assert (answered - answered_before, runs - runs_before < 40) == (80, True)
    refused = [one for one in together if isinstance(one, BaseException)]
    assert len(refused) == 4
    assert all("1,025 documents; expected at most 1,024" in str(one) for one in refused)
    rankings = [one for one in together if not isinstance(one, BaseException)]
    with RerankClient(server.url, timeout_s=120) as client:
        for (query, documents), ranking in zip(asked, rankings, strict=True):
            scores = {one.index: one.score for one in client.rank(query, documents)}
            assert {one.index: one.score for one in ranking} == pytest.approx(scores, abs=1e-5)


def test_no_documents_and_10_000_documents_are_one_clear_error_each(
    server: EmbeddedServer,
) -> None:
    with RerankClient(server.url) as client:
        with pytest.raises(RequestRefusedError, match=r"has 10,000 documents; expected at most"):
            client.rank(QUERY, DOCUMENTS[:1] * 10_000)
        assert len(client.rank(QUERY, DOCUMENTS[:1] * 300)) == 300
    raw = triton.InferenceServerClient(server.url)
    nothing = triton.InferInput("documents", [1, 0], "BYTES")
    nothing.set_data_from_numpy(np.empty((1, 0), dtype=np.object_))
    with pytest.raises(Exception, match="the request has no documents; expected 1 to 1,024"):
        raw.infer("ernie_rerank", [text_tensor("query", [QUERY]), nothing])
    raw.close()


def test_two_queries_of_one_request_have_rankings_of_their_own(server: EmbeddedServer) -> None:
    raw = triton.InferenceServerClient(server.url)
    documents = [*DOCUMENTS[:3], *DOCUMENTS[4:]]
    tensors = [
        text_tensor("query", [QUERY, "借呗怎么开通"]),
        text_tensor("documents", documents, columns=3),
    ]
    result = raw.infer("ernie_rerank", tensors)
    raw.close()
    with RerankClient(server.url) as client:
        for row, query in enumerate((QUERY, "借呗怎么开通")):
            alone = client.rank(query, documents[3 * row : 3 * row + 3])
            assert result.as_numpy("order")[row].tolist() == [one.index for one in alone]
            scores = result.as_numpy("scores")[row]
            for one in alone:
                assert scores[one.index] == pytest.approx(one.score, abs=1e-5)
