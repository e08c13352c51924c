"""Tokens of texts as a pipeline reads them: ids, places, and where it cuts."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ernie_triton.client.client import rows_from_columns
from ernie_triton.gateway.endpoints.endpoint import (
    Call,
    JsonEndpoint,
    Texts,
    check_pair,
    second_texts,
)
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.gateway.tokens import ShownRow
from ernie_triton.tasks import TASKS


class TokenizeRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Texts to show the tokens of.

    `pair` is the context, document or second text beside each; a schema may be left out.
    """

    model: Annotated[
        str, msgspec.Meta(description="The pipeline, one of `/v1/models`.", max_length=256)
    ]
    input: Texts
    pair: Texts | None = None


class TokenizeAnswer(msgspec.Struct, kw_only=True):
    """The tokens of each text or pair."""

    model: str
    results: list[ShownRow]


async def _answer(call: Call, request: TokenizeRequest) -> TokenizeAnswer:
    texts = call.list_of(request.input)
    pairs = second_texts(texts, request.pair)

    async def show(served: ServedPipeline) -> TokenizeAnswer:
        second = pairs
        if served.task.is_asked and second is None:  # what is asked has no part in it
            second = [""] * len(texts)
        else:
            check_pair(served, second)
        columns = {"input": texts, "pair": second} if second is not None else {"input": texts}
        if second is not None and len(served.task.pair_texts) > 2:  # no question between the two
            columns = {"input": texts, "question": [""] * len(texts), "pair": second}
        rows = rows_from_columns({**columns})
        results = await served.tokens.shown(rows, call.timeout_s)
        return TokenizeAnswer(model=served.name, results=results)

    return await call.ask(request.model, tuple(TASKS.values()), show)


TOKENIZE_ENDPOINT = JsonEndpoint(
    path="/v1/tokenize",
    summary="Show the tokens of texts, their places, and where the pipeline cuts.",
    request=TokenizeRequest,
    answer_type=TokenizeAnswer,
    answer=_answer,
    example={"model": "ernie_seqcls", "input": ["央行降息"]},
    example_answer={
        "model": "ernie_seqcls",
        "results": [
            {
                "count": 6,
                "truncated": False,
                "texts": [
                    {
                        "ids": [3319, 3198, 1385, 3058],
                        "tokens": ["央", "行", "降", "息"],
                        "offsets": [[0, 1], [1, 2], [2, 3], [3, 4]],
                        "read": 4,
                    }
                ],
                "windows": [],
            }
        ],
    },
    tasks=tuple(TASKS.values()),
)
