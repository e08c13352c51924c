"""Choices and cloze through the real server, alone and with many requests in flight."""

import asyncio
import random

import pytest

from ernie_triton.client.tasks.choice import AsyncChoiceClient, ChoiceClient, ChosenOption
from ernie_triton.client.tasks.cloze import AsyncClozeClient, ClozeClient, FilledText
from ernie_triton.errors import RequestRefusedError
from ernie_triton.server.embedded import EmbeddedServer

pytestmark = pytest.mark.live

CONTEXT = "陈思远毕业于武汉理工大学，现任教授。"
OTHER = "陈思远1986年3月出生于成都，毕业于浙江大学。"
QUESTION = "陈思远毕业于哪所学校？"
OPTIONS = ["北京大学", "武汉理工大学", "浙江大学", "四川师范大学"]
GAPS = {"他买了三[MASK]小说。": "本", "门口有两[MASK]汽车。": "辆", "今天天[MASK]晴朗。": "气"}


def test_the_option_that_answers_is_chosen_wherever_it_stands(server: EmbeddedServer) -> None:
    with ChoiceClient(server.url) as client:
        found = client.choose(CONTEXT, QUESTION, OPTIONS)
        other = client.choose(OTHER, "陈思远出生在哪里？", ["上海", "成都", "南宁"])
        turned = client.choose(CONTEXT, QUESTION, OPTIONS[::-1])
    assert (found.option, other.option, turned.option) == ("武汉理工大学", "成都", "武汉理工大学")
    assert sum(found.probabilities) == pytest.approx(1.0, abs=1e-5)
    assert turned.probabilities[::-1] == pytest.approx(found.probabilities, abs=1e-5)


def test_the_token_that_fits_is_the_likeliest_with_candidates_and_without(
    server: EmbeddedServer,
) -> None:
    words = [*GAPS.values()]
    with ClozeClient(server.url) as client:
        free = client.fill([*GAPS])
        bound = client.fill([*GAPS], candidates=words)
        [two] = client.fill(["他买了三[MASK]小说，喝了一[MASK]茶。"], top_k=2)
    assert [*zip(*(one.best for one in free), strict=True)] == [tuple(words)]
    for all_tokens, few in zip(free, bound, strict=True):
        assert few.best == all_tokens.best
        assert few.masks[0][0].probability == pytest.approx(all_tokens.masks[0][0].probability)
        assert len(few.masks[0]) == len(words)
    assert [len(tokens) for tokens in two.masks] == [2, 2]
    assert two.best == ("本", "杯")


def test_many_in_flight_have_their_solo_answers_beside_bad_ones(server: EmbeddedServer) -> None:
    chance = random.Random(0)
    asked = [
        (CONTEXT * chance.randint(0, 9), chance.sample(OPTIONS, chance.randint(2, 4)))
        for _ in range(40)
    ]
    texts = [text * chance.randint(1, 4) for text in chance.choices([*GAPS], k=40)]

    async def ask_all() -> tuple[
        list[ChosenOption | BaseException], list[list[FilledText] | BaseException]
    ]:
        async with (
            AsyncChoiceClient(server.url, timeout_s=120) as choices,
            AsyncClozeClient(server.url, timeout_s=120) as cloze,
        ):
            chosen = [choices.choose(context, QUESTION, given) for context, given in asked]
            chosen.insert(9, choices.choose(CONTEXT, QUESTION, OPTIONS[:1]))
            filled = [cloze.fill([text]) for text in texts]
            filled.insert(9, cloze.fill(["没有"]))
            both = await asyncio.gather(*chosen, *filled, return_exceptions=True)
            return both[: len(chosen)], both[len(chosen) :]  # type: ignore[return-value]

    chosen, filled = asyncio.run(ask_all())
    refused = [chosen.pop(9), filled.pop(9)]
    assert [type(one) for one in refused] == [RequestRefusedError] * 2
    assert "has no [MASK]" in str(refused[1])
    with (
        ChoiceClient(server.url, timeout_s=120) as choices,
        ClozeClient(server.url, timeout_s=120) as cloze,
    ):
        for (context, given), found in zip(asked, chosen, strict=True):
            assert isinstance(found, ChosenOption)
            alone = choices.choose(context, QUESTION, given)
            assert found.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        for text, fills in zip(texts, filled, strict=True):
            assert isinstance(fills, list)
            [alone_text] = cloze.fill([text])
            assert fills[0].best == alone_text.best
