"""Requests of different lengths share engine runs, and no row feels its company."""

import asyncio
import random

import numpy as np
import pytest

from ernie_triton.client.tasks.seq_cls import AsyncSeqClsClient, Classification, SeqClsClient
from ernie_triton.server.embedded import EmbeddedServer
from tests.live.requests import engine_runs, order_of_answers

pytestmark = pytest.mark.live

REQUESTS = 64
LABELS = 15


def _random_requests(seed: int) -> list[list[str]]:
    """Requests of 1 to 8 rows, each row of 1 to 150 characters, mostly Chinese."""
    rng = random.Random(seed)
    alphabet = [chr(code) for code in range(0x4E00, 0x4E00 + 800)] + list("abc 123，。")
    return [
        ["".join(rng.choices(alphabet, k=rng.randint(1, 150))) for _ in range(rng.randint(1, 8))]
        for _ in range(REQUESTS)
    ]


async def _all_at_once(
    url: str, model: str, requests: list[list[str]]
) -> list[list[Classification]]:
    async with AsyncSeqClsClient(url, model, timeout_s=120) as client:
        return await asyncio.gather(*(client.classify(texts, top_k=LABELS) for texts in requests))


def _scores(answer: Classification) -> list[float]:
    return [label.score for label in sorted(answer.labels, key=lambda label: label.id)]


@pytest.mark.parametrize("model", ["ernie_seqcls", "tnews_padded"])
def test_many_requests_in_flight_equal_their_solo_answers_in_few_runs(
    server: EmbeddedServer, model: str
) -> None:
    requests = _random_requests(seed=7)
    answered_before, runs_before = engine_runs(server.url, model)
    together = asyncio.run(_all_at_once(server.url, model, requests))
    answered, runs = engine_runs(server.url, model, requests=answered_before + REQUESTS)
    assert answered - answered_before == REQUESTS
    # The faster the engine, the fewer requests wait for it.
    assert runs - runs_before < 2 / 3 * REQUESTS
    with SeqClsClient(server.url, model) as client:
        for texts, answers in zip(requests, together, strict=True):
            for text, answer in zip(texts, answers, strict=True):
                (solo,) = client.classify([text], top_k=LABELS)
                assert np.abs(np.subtract(_scores(answer), _scores(solo))).max() < 1e-4
                assert answer.truncated == solo.truncated


def test_pairs_in_flight_equal_their_solo_answers(server: EmbeddedServer) -> None:
    rng = random.Random(3)
    texts = ["花呗" + "可以提前还款吗"[: rng.randint(1, 7)] * rng.randint(1, 30) for _ in range(40)]

    async def ask_all() -> list[list[Classification]]:
        async with AsyncSeqClsClient(server.url, "ernie_seqcls_pair", timeout_s=60) as client:
            return await asyncio.gather(
                *(client.classify([a], [b]) for a, b in zip(texts, texts[::-1], strict=True))
            )

    together = asyncio.run(ask_all())
    with SeqClsClient(server.url, "ernie_seqcls_pair") as client:
        solo = [client.classify([a], [b])[0] for a, b in zip(texts, texts[::-1], strict=True)]
    for (answer,), alone in zip(together, solo, strict=True):
        assert answer.best.id == alone.best.id
        assert answer.best.score == pytest.approx(alone.best.score, abs=1e-4)


def test_a_document_does_not_keep_a_short_text_waiting(server: EmbeddedServer) -> None:
    short, document = "李娜在武汉", "今天北京的天气很好，" * 700
    for _ in range(20):
        assert order_of_answers(server.url, "ernie_tokencls", [short]) == [0]
    assert order_of_answers(server.url, "ernie_tokencls", [document, short]) == [1, 0]
